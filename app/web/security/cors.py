"""CORS: which pages may call us in their visitor's name, and what browsers are told.

The platform's own origins alone: PUBLIC_URL, and https on the hosts that `return_to`
may lead to. SameSite=Lax keeps the cookie from calls of other sites, but a "site" is
wider than the platform: it is every host of our registrable domain.
"""

from __future__ import annotations

import re

from flask import Response, request

from app.web.context import site
from app.web.requests import bearer_token

_ORIGIN = re.compile(r"https?://[^/?#]+")

METHODS = "GET, POST"
ASKED = "Authorization, Content-Type, Accept-Language"
ASKED_OF_HOSTS = "Atproto-Proxy, Atproto-Accept-Labelers"
PREFLIGHT_LIFETIME = 600
"""Seconds for which a browser may remember that it may call."""


def caller() -> str | None:
    """Return whose page calls: an origin of the platform, or `bearer`; else None.

    Browsers never add a Bearer token by themselves, so its holder calls. They add the
    cookie to every request that any page causes, so that page must be one of the
    platform's. Nearly every such request has an Origin header, which no page can forge.
    A GET without one is an `<img>`, a link, or a call from our own origin: those count
    if Sec-Fetch-Site is "same-origin" or the Referer is a page of the platform, which
    pages can withhold but not forge. All other requests are refused.
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
    elif exposed:
        headers["Access-Control-Expose-Headers"] = exposed
