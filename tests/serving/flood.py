"""A WSGI application whose answers never end, and that counts those under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

under_way: list[None] = []


def flood() -> Iterator[bytes]:
    """Yield more than any connection holds, until the client is gone."""
    under_way.append(None)
    try:
        while True:
            yield bytes(65_536)
    finally:
        under_way.pop()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer `/flood` without end, and anything else with how many of those go on."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/flood":
        return flood()
    return [str(len(under_way)).encode()]
