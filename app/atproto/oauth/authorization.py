"""Building an authorization request (RFC 6749 §4.1.1, RFC 9126, RFC 7636).

Pure: what is pushed to the authorization server, and the URL that the browser gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..crypto.proofs import challenge_of
from ..errors import ScopeInvalid
from ..scopes.scope import ATPROTO, parse_scope

if TYPE_CHECKING:
    from ..discovery.server_metadata import AuthorizationServer
    from ..records import AuthRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A login that has begun: where the browser goes next (requirement 4.16)."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    issuer: str
    expires_at: float


def check_scope(scope: str, *, within: str) -> None:
    """Refuse a scope that the client metadata does not declare (requirement 4.6).

    Raises:
        ScopeInvalid: malformed, without `atproto`, or more than `within`.
    """
    asked = set(parse_scope(scope))
    if ATPROTO not in asked or not asked <= set(parse_scope(within)):
        raise ScopeInvalid(f"scope {scope!r} is not within {within!r}")


def par_form(request: AuthRequest) -> dict[str, str]:
    """Return what every pushed request says (requirement 4.2)."""
    return {
        "response_type": "code",
        "redirect_uri": request.redirect_uri,
        "scope": request.scope,
        "state": request.state,
        "code_challenge": challenge_of(request.code_verifier),
        "code_challenge_method": "S256",
    }


def optional_parameters(
    server: AuthorizationServer, login_hint: str | None, prompt: str | None
) -> dict[str, str]:
    """Return `login_hint` (4.7), and `prompt` where the server may know it (4.9)."""
    optional = {}
    if login_hint is not None:
        optional["login_hint"] = login_hint
    if prompt is not None and (server.prompts is None or prompt in server.prompts):
        optional["prompt"] = prompt
    return optional


def code_form(request: AuthRequest, code: str) -> dict[str, str]:
    """Return what the token endpoint is told: byte for byte what PAR said (4.8)."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": request.redirect_uri,
        "code_verifier": request.code_verifier,
    }


def authorization_url(
    server: AuthorizationServer, client_id: str, request_uri: str
) -> str:
    """Return where the browser goes: two parameters, after the endpoint's own (2.8)."""
    parts = urlsplit(server.authorization_endpoint)
    ours = urlencode({"client_id": client_id, "request_uri": request_uri})
    query = f"{parts.query}&{ours}" if parts.query else ours
    return urlunsplit(parts._replace(query=query))
