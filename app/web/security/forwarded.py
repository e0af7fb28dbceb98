"""WSGI middleware: X-Forwarded-For of trusted proxies, and WebSocket upgrades."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Forwarded:
    """Sets REMOTE_ADDR from X-Forwarded-For, and hides WebSocket upgrades.

    Forward auth asks about upgrades with their headers; werkzeug would look for a
    WebSocket route, which we have none of, and answer 400.
    """

    def __init__(self, app: WSGIApplication, *, trusted_proxies: int) -> None:
        self._app = app
        self._trusted_proxies = trusted_proxies

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        environ.pop("HTTP_UPGRADE", None)
        address = self._client_of(environ.get("HTTP_X_FORWARDED_FOR", ""))
        if address is not None:
            environ["REMOTE_ADDR"] = address
        return self._app(environ, start_response)

    def _client_of(self, forwarded: str) -> str | None:
        """Return the address that the first trusted proxy saw, without a port.

        None leaves the peer's own address: fewer proxies than are trusted, or text that
        is no address.
        """
        hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
        if not 0 < self._trusted_proxies <= len(hops):
            return None
        return address_of(hops[-self._trusted_proxies])


def address_of(text: str) -> str | None:
    """Return the IP address of `ip`, `ip:port`, `[ip]` or `[ip]:port`, or None."""
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
