"""Which pages may call us in their visitor's name, and what browsers are told (CORS).

The platform's own origins alone: PUBLIC_URL, and https on the hosts that `return_to`
may lead to. SameSite=Lax keeps the cookie from other sites' calls, but "site" is wider
than the platform: whatever shares our registrable domain counts as the same.
"""

from __future__ import annotations

import re

from flask import Response, request

from .context import site
from .requests import bearer_token

_ORIGIN = re.compile(r"https?://[^/?#]+")

METHODS = "GET, POST"
ASKED = "Authorization, Content-Type, Accept-Language"
ASKED_OF_HOSTS = "Atproto-Proxy, Atproto-Accept-Labelers"
PREFLIGHT_LIFETIME = 600
"""Seconds for which a browser may remember that it may call."""


def caller() -> str | None:
    """Return whose page calls: an origin of the platform, or `bearer`; else None.

    A Bearer token is shown by whoever holds it, and browsers add none by themselves.
    The cookie they do add, to every request that any page causes: so the page must be
    one of the platform's. Nearly every such request names its origin, and no page can
    forge that. A GET without one is a page's `<img>`, a link, or a call from our own
    origin: those count if the browser says "same-origin", or names a page of the
    platform as Referer, which pages can withhold but not forge. Anything else may come
    from anywhere, and does nothing.
    """
    if bearer_token() is not None:
        return "bearer"
    origin = request.headers.get("Origin")
    if origin is None and request.method in {"GET", "HEAD"}:
        origin = _origin_of_get()
    return origin if origin is not None and is_ours(origin) else None


def is_ours(origin: str) -> bool:
    """Tell whether an origin is one of the platform's."""
    return site().returns.is_origin(origin)


def _origin_of_get() -> str | None:
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return site().public_url
    named = _ORIGIN.match(request.headers.get("Referer", ""))
    return named[0] if named else None


def allow(response: Response, *, exposed: str) -> None:
    """Let a page of the platform, and no other, read an answer or call at all."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin is None or not is_ours(origin):
        return
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = METHODS
        headers["Access-Control-Allow-Headers"] = f"{ASKED}, {ASKED_OF_HOSTS}"
        headers["Access-Control-Max-Age"] = str(PREFLIGHT_LIFETIME)
    else:
        headers["Access-Control-Expose-Headers"] = exposed
