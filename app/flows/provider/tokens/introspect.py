"""Introspection: a client asks what one of its own tokens is (RFC 7662)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.flows.errors import PolicyNotJudged
from app.flows.provider.grants.ports import Grants
from app.flows.provider.grants.records import LivingGrant
from app.flows.provider.registration import Client

from .access import FindAccess
from .client_authentication import AuthenticateClient, Caller
from .requests import ProgramRefused
from .telling import AccessLost, TellApp


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectToken:
    """Answers for tokens of the asking client; any other is not active."""

    authenticate: AuthenticateClient
    find: FindAccess
    grants: Grants
    tell: TellApp
    issuer: str

    def __call__(self, caller: Caller) -> dict[str, Any]:
        """Return the state of a token (RFC 7662 section 2.2).

        Raises:
            ProgramRefused: no client with a secret authenticates, no token is named, or
                the policy cannot be judged now.
            TooManyRequests: too many failed authentications of this network.
        """
        client = self.authenticate(caller)
        if client.registration.is_public:
            raise ProgramRefused("invalid_client", "a public client cannot introspect")
        token = caller.form.get("token")
        if token is None:
            raise ProgramRefused("invalid_request", "token is missing")
        return self._of_access(client, token) or self._of_refresh(client, token)

    def _of_access(self, client: Client, secret: str) -> dict[str, Any] | None:
        found = self.find(secret)
        if found is None or not self._is_for(client, found[1]):
            return None
        token, living = found
        return {
            **self._described(living, token.scope),
            "token_type": "Bearer",
            "iat": int(token.issued_at),
            "exp": int(token.expires_at),
        }

    def _of_refresh(self, client: Client, token: str) -> dict[str, Any]:
        now = self.find.clock()
        living = self.grants.by_refresh_token(token, now=now)
        if living is None or not self._is_for(client, living):
            return {"active": False}
        if not self.grants.is_current(token):
            return {"active": False}
        grant = living.grant
        return {**self._described(living, grant.scope), "exp": int(grant.expires_at)}

    def _is_for(self, client: Client, living: LivingGrant) -> bool:
        """Tell whether a grant is the caller's, and its policy lets the account in."""
        if living.grant.client_id != client.client_id:
            return False
        try:
            self.tell(living, "openid")
        except AccessLost:
            return False
        except PolicyNotJudged as error:
            raise ProgramRefused(
                "temporarily_unavailable", "the policy cannot be judged now"
            ) from error
        return True

    def _described(self, living: LivingGrant, scope: str) -> dict[str, Any]:
        return {
            "active": True,
            "iss": self.issuer,
            "client_id": living.grant.client_id,
            "sub": living.user.did,
            "username": living.user.username,
            "scope": scope,
        }
