"""Revocation: a client gives a token back (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.flows.ports import Audit
from app.flows.provider.grants.ports import AccessTokens, Grants

from .client_authentication import AuthenticateClient, Caller
from .requests import ProgramRefused


@dataclass(slots=True, kw_only=True)
class RevokeToken:
    """Ends an access token, or with a refresh token its grant."""

    authenticate: AuthenticateClient
    grants: Grants
    tokens: AccessTokens
    audit: Audit
    clock: Callable[[], float]
    count: int = 0
    """Grows with each revocation here, so that no answer of before is repeated."""

    def __call__(self, caller: Caller) -> None:
        """End a token of the calling client; any other token changes nothing.

        Any program can call as a public client, so unknown tokens of one count as
        failures of its network.

        Raises:
            ProgramRefused: the client does not authenticate, or names no token.
            TooManyRequests: too many failures of this network.
        """
        client = self.authenticate(caller)
        token = caller.form.get("token")
        if token is None:
            raise ProgramRefused("invalid_request", "token is missing")
        if self._ended(token, client.client_id):
            self.count += 1
        elif client.registration.is_public:
            self.authenticate.note_failure(caller)

    def _ended(self, token: str, client_id: str) -> bool:
        if self.tokens.drop(token, client_id=client_id):
            return True
        ended = self.grants.end_by_refresh_token(token, client_id=client_id)
        if ended is None:
            return False
        detail = {"client": client_id, "reason": "revoked by the app"}
        self.audit.record("grant_ended", now=self.clock(), did=ended.did, detail=detail)
        return True
