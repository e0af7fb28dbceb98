"""A WSGI application with a request that never switches, until a file appears."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gevent


def stick(path: Path) -> None:
    """Compute until the file is there; the hub gets no turn."""
    while not path.exists():
        sum(range(1000))


def wait(path: Path) -> None:
    """Wait until the file is there, and let other greenlets run meanwhile."""
    while not path.exists():
        gevent.sleep(0.02)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the worker's process id; `/stick` and `/wait` want a file first."""
    path = Path(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/stick":
        stick(path)
    elif environ["PATH_INFO"] == "/wait":
        wait(path)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
