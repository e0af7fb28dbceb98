"""/auth/verify: forward auth for the proxy in front of another service.

nginx, Caddy, Traefik and Envoy ask with the headers of the request that they hold. When
the answer is 200, they pass the request on with our headers about the person. They
differ in how they name the original address; in each case a person is sent to our own
login, and from there only to the platform's hosts (requirement 9.9).
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flask import Blueprint, Response, redirect, request

from app.flows.errors import NotSignedIn
from app.flows.session import Identified
from app.web import cookies
from app.web.access import access
from app.web.context import flows, site
from app.web.requests import bearer_token
from app.web.return_to import ReturnToInvalid

bp = Blueprint("verify", __name__)

# Envoy asks with the method of the request it holds, and appends its path to ours.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


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
    identified = flows().verify(bearer_token() or cookies.platform_token())
    if identified is not None:
        return _passed(identified)
    if request.args.get("redirect") == "1":
        return redirect(_login_url(), code=302, Response=Response)  # type: ignore[return-value]
    raise LoginNeeded(_login_url())


def _passed(identified: Identified) -> Response:
    """Name the person in all of our headers, so that none of a client's passes."""
    claims = identified.claims
    response = Response(status=200)
    for name, value in (
        ("User", claims.username),
        ("Did", claims.did),
        ("Handle", claims.handle or ""),
        ("Session", claims.sid),
    ):
        # Unchanged by their grammars; any other character would be escaped.
        response.headers[f"X-Auth-Request-{name}"] = quote(value, safe=":%")
    return response


def _login_url() -> str:
    """Return our login URL, with `return_to` if it is a host of the platform."""
    try:
        return_to = site().returns.parse(_original_url())
    except ReturnToInvalid:
        return_to = ""
    query = f"?{urlencode({'return_to': return_to})}" if return_to else ""
    return f"{site().public_url}/auth/login{query}"


def _original_url() -> str:
    """Return the address that the person asked for, as the proxy's headers say it."""
    headers = request.headers
    told = headers.get("X-Original-URL", "")
    if told.startswith(("https://", "http://")):
        return told
    scheme = headers.get("X-Forwarded-Proto", "")
    host = headers.get("X-Forwarded-Host", "")
    path = headers.get("X-Forwarded-Uri", "")
    return f"{scheme}://{host}{path}" if scheme and host else ""
