"""The token endpoint: authorization_code and refresh_token (RFC 6749 sections 4.1, 6).

authlib parses and orders the grants. What it does not do, or does otherwise, is
overridden here, each with a test that fails without the override: error bodies, client
authentication, codes that are taken once, PKCE of clients with a secret, the scheme of
the request, and all transactions.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from app.flows.provider.authorization.codes import Code, Codes
from app.flows.provider.grants.ports import Grants
from app.flows.provider.grants.records import LivingGrant
from app.flows.provider.registration import Client
from app.flows.provider.scopes import narrowed_scope

from .client_authentication import AuthenticateClient, Caller
from .issue import NOT_GOOD, IssuedTokens, IssueTokens, StoreTokens
from .requests import ProgramRefused, TokenErrorCode

log = logging.getLogger(__name__)

SECURE: Final = "https://localhost/oauth/token"
"""What authlib is told to be the URL: it refuses http, and TLS ends at the proxy."""

DESCRIPTIONS: Final[dict[str, tuple[TokenErrorCode, str]]] = {
    "invalid_request": ("invalid_request", "a parameter is missing"),
    "invalid_grant": ("invalid_grant", NOT_GOOD),
    "invalid_scope": ("invalid_scope", "the scope is wider than what was granted"),
    "unauthorized_client": (
        "unauthorized_client",
        "this client may not use this grant type",
    ),
    "unsupported_grant_type": (
        "unsupported_grant_type",
        "grant_type is authorization_code or refresh_token",
    ),
}
"""Our words for the errors of authlib, whose own repeat what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeToken:
    """Answers a token request."""

    authenticate: AuthenticateClient
    codes: Codes
    grants: Grants
    issue: IssueTokens
    store: StoreTokens
    platform_audience: str
    """TOKEN_AUDIENCE, which no id_token may have (RFC 8725 section 3.9)."""

    def __call__(self, caller: Caller) -> dict[str, Any]:
        """Return the tokens of a code or a refresh token (RFC 6749 section 5.1).

        Raises:
            ProgramRefused: what RFC 6749 section 5.2 names; 503 for a policy that
                cannot be judged now.
            TooManyRequests: too many failed authentications of this network.
        """
        if caller.form.get("resource") is not None:
            raise ProgramRefused("invalid_target", "no resource is registered")
        body: dict[str, Any] = _Server(self).create_token_response(caller)
        return body


class _Request(OAuth2Request):  # type: ignore[misc] # authlib has no types
    """A token request: its parameters are those of the body alone."""

    def __init__(self, caller: Caller) -> None:
        super().__init__("POST", SECURE)
        self.caller = caller
        self.payload = BasicOAuth2Payload(dict(caller.form.values))

    @property
    def form(self) -> dict[str, str]:
        values: dict[str, str] = self.payload.data
        return values


@dataclass(frozen=True, slots=True)
class _Party:
    """An authenticated client, as authlib asks it."""

    client: Client

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.client.registration.grant_types


class _Server(AuthorizationServer):  # type: ignore[misc] # authlib has no types
    def __init__(self, parts: ExchangeToken) -> None:
        super().__init__()
        self.parts = parts
        self.register_grant(_CodeGrant)
        self.register_grant(_RefreshGrant)

    def create_oauth2_request(self, request: Caller) -> _Request:
        return _Request(request)

    def get_token_grant(self, request: _Request) -> Any:
        if request.payload.grant_type is None:
            raise ProgramRefused("invalid_request", "grant_type is missing")
        return super().get_token_grant(request)

    def authenticate_client(
        self, request: _Request, methods: list[str], endpoint: str = "token"
    ) -> _Party:
        """Authenticate in one way; authlib would try several.

        No grant of a disabled client lives, so that it gets `invalid_grant`.
        """
        del methods, endpoint
        client = self.parts.authenticate.even_disabled(request.caller)
        # No such client can be registered, but the setting may have changed since.
        if client.client_id.lower() == self.parts.platform_audience.lower():
            log.error("TOKEN_AUDIENCE is the id of the client %s", client.client_id)
            raise ProgramRefused(*DESCRIPTIONS["unauthorized_client"])
        return _Party(client)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: signals are Flask's."""

    def handle_response(
        self, status: int, body: dict[str, Any], headers: object
    ) -> dict[str, Any]:
        del status, headers
        return body

    def handle_error_response(self, request: object, error: OAuth2Error) -> NoReturn:
        del request
        code, description = DESCRIPTIONS[error.error]
        raise ProgramRefused(code, description) from error


@dataclass(frozen=True, slots=True)
class _PresentedCode:
    """A code that its client presents; it is taken when its tokens are stored."""

    code: Code

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return self.code.scope


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc] # authlib has no types
    server: _Server
    request: _Request

    def query_authorization_code(
        self, code: str, client: _Party
    ) -> _PresentedCode | None:
        parts, client_id = self.server.parts, client.client.client_id
        if self.request.payload.redirect_uri is None:
            raise ProgramRefused("invalid_request", "redirect_uri is missing")
        found = parts.codes.find(code, client_id=client_id, now=parts.store.clock())
        if found is None:
            parts.store.replayed(code, client_id=client_id)
            return None
        return _PresentedCode(found)

    def authenticate_user(self, authorization_code: _PresentedCode) -> Any:
        parts, code = self.server.parts, authorization_code.code
        return parts.grants.living(code.grant_id, now=parts.store.clock())

    def generate_token(self, user: LivingGrant, scope: str, **_: Any) -> IssuedTokens:
        nonce = self.request.authorization_code.code.nonce
        return self.server.parts.issue(user, scope, nonce=nonce)

    def save_token(self, token: IssuedTokens) -> None:
        client: _Party = self.request.client
        refresh = self.server.parts.store.of_code(
            token,
            self.request.form["code"],
            client_id=client.client.client_id,
            redirect_uri=self.request.payload.redirect_uri,
            verifier=self.request.form.get("code_verifier"),
            refreshes=client.check_grant_type("refresh_token"),
        )
        if refresh is not None:
            token.body["refresh_token"] = refresh

    def delete_authorization_code(self, authorization_code: object) -> None:
        """Do nothing: one statement has taken the code, in one transaction."""

    def create_token_response(self) -> tuple[int, dict[str, Any], object]:
        status, issued, headers = super().create_token_response()
        return status, issued.body, headers


@dataclass(frozen=True, slots=True)
class _PresentedGrant:
    """The living grant of a refresh token, which is judged when it rotates."""

    living: LivingGrant

    def check_client(self, client: _Party) -> bool:
        return self.living.grant.client_id == client.client.client_id

    def get_scope(self) -> str:
        return self.living.grant.scope


class _RefreshGrant(RefreshTokenGrant):  # type: ignore[misc] # authlib has no types
    server: _Server
    request: _Request

    def authenticate_refresh_token(self, refresh_token: str) -> _PresentedGrant | None:
        parts = self.server.parts
        living = parts.grants.by_refresh_token(refresh_token, now=parts.store.clock())
        return None if living is None else _PresentedGrant(living)

    def authenticate_user(self, refresh_token: _PresentedGrant) -> LivingGrant:
        return refresh_token.living

    def generate_token(self, user: LivingGrant, scope: str, **_: Any) -> IssuedTokens:
        """Issue for a scope of words with spaces between; authlib takes any blanks."""
        try:
            narrowed = narrowed_scope(scope, user.grant.scope)
        except ValueError as error:
            raise ProgramRefused(*DESCRIPTIONS["invalid_scope"]) from error
        return self.server.parts.issue(user, narrowed)

    def save_token(self, token: IssuedTokens) -> None:
        presented = self.request.form["refresh_token"]
        successor = self.server.parts.store.of_refresh(token, presented)
        token.body["refresh_token"] = successor

    def revoke_old_credential(self, refresh_token: object) -> None:
        """Do nothing: the rotation has replaced the token, in one transaction."""

    def create_token_response(self) -> tuple[int, dict[str, Any], object]:
        status, issued, headers = super().create_token_response()
        return status, issued.body, headers
