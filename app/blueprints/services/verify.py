"""/auth/verify: forward auth for the proxy in front of another service.

nginx, Caddy, Traefik and Envoy ask with the headers of the request that they hold. When
the answer is 200, they pass the request on with our headers about the person. They
differ in how they name the original address; in each case a person is sent to our own
login, and from there only to the platform's hosts (requirement 9.9).
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, redirect, request

from app.flows.errors import NotSignedIn
from app.flows.sessions.session import Identified
from app.web import cookies
from app.web.context import flows, site
from app.web.requests import bearer_token
from app.web.return_to import ReturnToInvalid
from app.web.security.access import access

bp = Blueprint("verify", __name__)

# Envoy asks with the method of the request it holds, and appends its path to ours.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

NAMES = ("User", "Did", "Handle", "Session")

_DEFAULT_PORT = re.compile(r"(?i)^(https://[^/?#]*?):443(?=[/?#]|$)")
_URL_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))


class LoginNeeded(NotSignedIn):
    """The request shows no valid token; `login_url` leads to login and back."""

    def __init__(self, login_url: str) -> None:
        super().__init__("a request that a proxy holds")
        self.login_url = login_url


@bp.route("/auth/verify", methods=METHODS)
@bp.route("/auth/verify/<path:original>", methods=METHODS)
@access("token")
def show(original: str = "") -> Response:
    """Answer 200 and who makes the request; 401 or a redirect to login otherwise."""
    del original  # Envoy's; the answer does not depend on the path
    if _is_preflight():
        return _preflight()
    identified = _identified()
    if identified is not None:
        return _passed(identified)
    if request.args.get("redirect") == "1" and _is_navigation():
        return redirect(_login_url(), code=302, Response=Response)  # type: ignore[return-value]
    raise LoginNeeded(_login_url())


def _identified() -> Identified | None:
    """Return whom the Bearer token names, or else the first cookie that is valid.

    A service may use Bearer tokens of its own, so here, and nowhere else, one that is
    not ours falls back to the cookie.
    """
    return flows().verify.first_of((bearer_token(), *cookies.platform_tokens()))


def _passed(identified: Identified | None) -> Response:
    """Name the person in all of our headers, so that none of a client's passes."""
    response = Response(status=200)
    for name, value in zip(NAMES, _names_of(identified), strict=True):
        # Unchanged by their grammars; any other character would be escaped.
        response.headers[f"X-Auth-Request-{name}"] = quote(value, safe=":%")
    return response


def _names_of(identified: Identified | None) -> tuple[str, ...]:
    if identified is None:
        return ("",) * len(NAMES)
    claims = identified.claims
    return (claims.username, claims.did, claims.handle or "", claims.sid)


# --- what kind of request the proxy holds ---------------------------------------------


def _is_preflight() -> bool:
    """Tell whether the proxy holds a CORS preflight (Fetch section 4.8).

    A preflight has no cookie by design, so it can never be signed in. Envoy asks with
    its method; the others name the method in a header.
    """
    method = request.method
    if method == "GET":
        method = request.headers.get("X-Forwarded-Method", "GET")
    asks = {"Origin", "Access-Control-Request-Method"} <= set(request.headers.keys())
    return method == "OPTIONS" and asks


def _preflight() -> Response:
    """Pass a preflight without a name if FORWARD_AUTH_PREFLIGHT says so; else 401."""
    if site().passes_preflights:
        return _passed(None)
    raise NotSignedIn("a preflight, which has no cookie")


def _is_navigation() -> bool:
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


def _login_url() -> str:
    """Return our login URL, with `return_to` if it is a host of the platform."""
    try:
        return_to = site().returns.parse(_original_url())
    except ReturnToInvalid:
        return_to = ""
    query = f"?{urlencode({'return_to': return_to})}" if return_to else ""
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
