"""The request that a proxy holds while it asks /auth/verify (forward auth).

Proxies differ in how they name its method and address.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from flask import request

from .context import site
from .return_to import ReturnToInvalid

_DEFAULT_PORT = re.compile(r"(?i)^(https://[^/?#]*?):443(?=[/?#]|$)")
_URL_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))


def method() -> str:
    """Return its method: Envoy asks with it, the others name it in a header."""
    if request.method != "GET":
        return request.method
    return request.headers.get("X-Forwarded-Method", "GET")


def is_preflight() -> bool:
    """Tell whether the proxy holds a CORS preflight (Fetch section 4.8).

    A preflight has no cookie by design, so it can never be signed in.
    """
    asks = {"Origin", "Access-Control-Request-Method"} <= set(request.headers.keys())
    return method() == "OPTIONS" and asks


def is_navigation() -> bool:
    """Tell whether a browser would show our login page: 401 is for all other requests.

    A script, an image or an event stream that is redirected to another origin fails
    without a reason that it could read. Browsers before Sec-Fetch-Mode ask for HTML.
    """
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    if "X-Requested-With" in request.headers:
        return False
    return "text/html" in {kind for kind, _ in request.accept_mimetypes}


# --- the way back ---------------------------------------------------------------------


def login_url(**fields: str) -> str:
    """Return our login URL, with `return_to` if it is a host of the platform.

    `fields` are other fields of the form.
    """
    try:
        return_to = site().returns.parse(_original_url())
    except ReturnToInvalid:
        return_to = ""
    if return_to:
        fields["return_to"] = return_to
    query = f"?{urlencode(fields)}" if fields else ""
    return f"{site().public_url}/auth/login{query}"


def _original_url() -> str:
    """Return the address that the person asked for, as the proxy's headers say it.

    Proxies differ in spelling: several values in one header (the first is the client's
    side), the default port written out, and raw UTF-8 in paths.
    """
    headers = request.headers
    told = headers.get("X-Original-URL", "")
    if not told.startswith(("https://", "http://")):
        scheme, host = _first("X-Forwarded-Proto"), _first("X-Forwarded-Host")
        path = headers.get("X-Forwarded-Uri", "")
        told = f"{scheme}://{host}{path}" if scheme and host else ""
    # WSGI reads the bytes of a header as Latin-1.
    told = quote(told.encode("latin-1"), safe=_URL_CHARACTERS)
    return _DEFAULT_PORT.sub(r"\1", told)


def _first(name: str) -> str:
    return request.headers.get(name, "").partition(",")[0].strip()
