"""Look up an access token: the token, and the grant that it lives by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.flows.provider.grants.ports import AccessTokens, Grants
from app.flows.provider.grants.records import AccessToken, LivingGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class FindAccess:
    """Finds living access tokens; the policy is judged by what uses them."""

    tokens: AccessTokens
    grants: Grants
    clock: Callable[[], float]

    def __call__(self, secret: str) -> tuple[AccessToken, LivingGrant] | None:
        """Return the token and its living grant, or None."""
        now = self.clock()
        token = self.tokens.find(secret, now=now)
        if token is None:
            return None
        living = self.grants.living(token.grant_id, now=now)
        return None if living is None else (token, living)
