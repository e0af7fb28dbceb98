"""The authorization request and its response (RFC 6749, RFC 9126, RFC 9207).

Pure: what is pushed to the server, the URL for the browser, and the callback's query.
"""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..client_metadata.builders import ClientMetadata
from ..crypto.encoding import sha256_hex
from ..crypto.keys import SigningKey
from ..crypto.proofs import challenge_of, create_verifier
from ..discovery.accounts import AccountLocation
from ..discovery.server_metadata import AuthorizationServer
from ..discovery.servers import ServerLocation
from ..errors import (
    AccessDenied,
    AuthorizationFailed,
    CallbackMalformed,
    IssuerMismatch,
    ScopeInvalid,
    StateUnknown,
    printable,
)
from ..records import AuthRequest
from ..scopes.scope import ATPROTO, parse_scope

AUTH_REQUEST_LIFETIME = 3600.0
"""Seconds a login may wait for its callback (requirement 4.19)."""

_ONCE = ("state", "iss", "code", "error", "error_description")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A login that has begun: where to send the browser (requirement 4.16)."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    issuer: str
    expires_at: float
    prompt: str | None = None
    """The `prompt` that the server took; None if it was left out (requirement 4.9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswer:
    """The parameters of a callback, before any check."""

    state: str = field(repr=False)
    issuer: str | None
    code: str | None = field(repr=False)
    error: str | None
    description: str

    def code_for(self, issuer: str) -> str:
        """Return the authorization code, if `issuer` is the one that answered.

        The issuer is compared first: the rest of another issuer's answer is not read
        (requirements 6.5 and 6.6).

        Raises:
            IssuerMismatch: `iss` is missing or another one.
            AccessDenied, AuthorizationFailed: the answer is an error.
            CallbackMalformed: neither a code nor an error, or both.
        """
        if self.issuer != issuer:
            raise IssuerMismatch(f"the answer is not from {issuer}")
        if (self.code is None) == (self.error is None):
            raise CallbackMalformed("exactly one of code and error must be given")
        if self.error == "access_denied":
            raise AccessDenied("the request was declined")
        if self.code is None:
            raise AuthorizationFailed(printable(self.error), self.description)
        return self.code


def check_scope(scope: str, *, within: str) -> None:
    """Check that the client metadata declares the scope (requirement 4.6).

    Raises:
        ScopeInvalid: malformed, without `atproto`, or more than `within`.
    """
    asked = set(parse_scope(scope))
    if ATPROTO not in asked or not asked <= set(parse_scope(within)):
        raise ScopeInvalid(f"scope {scope!r} is not within {within!r}")


def new_auth_request(
    found: AccountLocation | ServerLocation,
    *,
    login_hint: str | None,
    scope: str,
    redirect_uri: str,
    app_state: str,
    browser_secret: str | None,
    metadata: ClientMetadata,
    client_kid: str | None,
    now: float,
) -> AuthRequest:
    """Return a request with new random values, not pushed yet (requirement 4.18)."""
    account = found if isinstance(found, AccountLocation) else None
    return AuthRequest(
        state=secrets.token_urlsafe(32),
        browser_secret_hash=(
            None if browser_secret is None else sha256_hex(browser_secret)
        ),
        issuer=found.server.issuer,
        server=_kept(found.server),
        did=found.did,
        handle=found.handle,
        pds=account.pds if account else None,
        login_hint=login_hint,
        redirect_uri=redirect_uri,
        code_verifier=create_verifier(),
        dpop_key=SigningKey.generate("ES256"),
        client_id=metadata.client_id,
        auth_method=metadata.auth_method,
        client_kid=client_kid,
        scope=scope,
        as_nonce=None,
        verified_at=account.verified_at if account else None,
        app_state=app_state,
        created_at=now,
        expires_at=now + AUTH_REQUEST_LIFETIME,
    )


def _kept(server: AuthorizationServer) -> dict[str, Any]:
    """Return what the callback needs of a server.

    Release 0.1.0 reads nothing else, and finishes logins while nodes are upgraded.
    """
    document = replace(server, protected_resources=None).document()
    return {name: document[name] for name in document if name != "response_mode_query"}


def par_form(request: AuthRequest) -> dict[str, str]:
    """Return the required parameters of the pushed request (requirement 4.2)."""
    return {
        "response_type": "code",
        "redirect_uri": request.redirect_uri,
        "scope": request.scope,
        "state": request.state,
        "code_challenge": challenge_of(request.code_verifier),
        "code_challenge_method": "S256",
    }


def optional_parameters(
    server: AuthorizationServer,
    login_hint: str | None,
    *,
    prompt: str | None,
    ui_locales: str | None,
) -> dict[str, str]:
    """Return the parameters that a server may refuse (requirements 4.7 and 4.9).

    `prompt` is left out where the server is known not to support it. `response_mode`
    is sent where it is supported, in case the server's default is the fragment.
    `ui_locales` are the person's languages (OpenID Connect Core section 3.1.2.1).
    """
    optional = {}
    if server.response_mode_query:
        optional["response_mode"] = "query"
    if login_hint is not None:
        optional["login_hint"] = login_hint
    if prompt is not None and (server.prompts is None or prompt in server.prompts):
        optional["prompt"] = prompt
    if ui_locales is not None:
        optional["ui_locales"] = ui_locales
    return optional


def authorization_url(
    server: AuthorizationServer, client_id: str, request_uri: str
) -> str:
    """Return the browser's URL: two parameters, added to the endpoint's own query."""
    parts = urlsplit(server.authorization_endpoint)
    ours = urlencode({"client_id": client_id, "request_uri": request_uri})
    query = f"{parts.query}&{ours}" if parts.query else ours
    return urlunsplit(parts._replace(query=query))


def read_callback(parameters: Sequence[tuple[str, str]]) -> CallbackAnswer:
    """Read the query of a callback strictly (requirements 6.1 and 6.2).

    Raises:
        CallbackMalformed: a parameter is repeated, or the answer is a JARM response.
        StateUnknown: there is no state.
    """
    counts = Counter(name for name, _ in parameters)
    if any(counts[name] > 1 for name in _ONCE):
        raise CallbackMalformed("a parameter stands more than once")
    if "response" in counts:
        raise CallbackMalformed("signed responses (JARM) are not part of the profile")
    given = {name: value for name, value in parameters if value}
    if "state" not in given:
        raise StateUnknown("the answer has no state")
    return CallbackAnswer(
        state=given["state"],
        issuer=given.get("iss"),
        code=given.get("code"),
        error=given.get("error"),
        description=printable(given.get("error_description")),
    )


def is_same_browser(expected: str | None, held: Collection[str] | None) -> bool:
    """Tell whether one of a browser's secrets began the login (requirement 9.12).

    `expected` is the stored hash. Without one, the login belongs to no browser, and
    `held` has to be None. Compared in constant time (requirement 9.25).
    """
    if expected is None or held is None:
        return expected is None and held is None
    return any(hmac.compare_digest(expected, sha256_hex(secret)) for secret in held)


def code_form(request: AuthRequest, code: str) -> dict[str, str]:
    """Return the token request; `redirect_uri` is the pushed one (requirement 4.8)."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": request.redirect_uri,
        "code_verifier": request.code_verifier,
    }
