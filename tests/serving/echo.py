"""A WSGI application that tells what gunicorn made of a request, and can wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

LONGEST_WAIT = 20.0
released = threading.Event()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the scheme and the mount point; `/wait` waits for `/release`."""
    match environ["PATH_INFO"]:
        case "/wait":
            text = "released" if released.wait(LONGEST_WAIT) else "forgotten"
        case "/release":
            released.set()
            text = "releasing"
        case "/fail":
            raise RuntimeError("this application fails when it is told to")
        case _:
            text = f"{environ['wsgi.url_scheme']} {environ['SCRIPT_NAME']}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
