"""ObservedHTTP: reports each request to another host as a `RequestEnded` event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ..events import Observer, RequestEnded, RequestKind, ignore
from .types import HTTP, Response

KINDS: dict[str, RequestKind] = {
    "/.well-known/atproto-did": "handle",
    "/.well-known/oauth-protected-resource": "resource_metadata",
    "/.well-known/oauth-authorization-server": "server_metadata",
}
"""Kinds by path; any other document is that of a DID."""


class ObservedHTTP:
    """The HTTP client of discovery, whose requests are GETs of public documents."""

    def __init__(self, http: HTTP, observe: Observer) -> None:
        self._http = http
        self._observe = observe

    def request(self, method: str, url: str, **options: Any) -> Response:
        """Send one request and return the response, see `HTTP.request`."""
        return observed(
            self._observe,
            KINDS.get(urlsplit(url).path, "did"),
            url,
            monotonic=options["deadline"].monotonic,
            send=lambda: self._http.request(method, url, **options),
        )


def observed(
    observe: Observer,
    kind: RequestKind,
    url: str,
    *,
    monotonic: Callable[[], float],
    send: Callable[[], Response],
) -> Response:
    """Return what `send` returns, and report how the request ended."""
    if observe is ignore:
        return send()
    host, began = urlsplit(url).hostname or "", monotonic()
    try:
        response = send()
    except Exception as error:
        observe(RequestEnded(kind, host, None, error, monotonic() - began))
        raise
    observe(RequestEnded(kind, host, response.status, None, monotonic() - began))
    return response
