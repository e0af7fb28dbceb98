"""The userinfo endpoint (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.flows.errors import FlowError
from app.flows.limits.networks import hit_networks
from app.flows.ports import RateLimit

from .access import FindAccess
from .telling import AccessLost, TellApp

BearerError = Literal["invalid_token", "insufficient_scope", "invalid_request"]


class BearerRefused(FlowError):
    """A request without a good access token (RFC 6750 section 3.1).

    `code` is None for a request that shows no token at all.
    """

    def __init__(self, code: BearerError | None) -> None:
        super().__init__(code or "no access token")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """Answers with the claims of the token's scope, read anew."""

    find: FindAccess
    tell: TellApp
    rates: RateLimit

    def __call__(self, secret: str | None, *, network: str) -> Mapping[str, Any]:
        """Return the claims; `sub` is that of the id_token.

        Raises:
            BearerRefused: no token, one that is not good any more, or one without
                `openid`.
            PolicyNotJudged: a handle decides that cannot be looked up now.
            TooManyRequests: too many bad tokens of this network.
        """
        if not secret:
            raise BearerRefused(None)
        found = self.find(secret)
        if found is None:
            raise self._invalid(network)
        token, living = found
        if "openid" not in token.scope.split():
            raise BearerRefused("insufficient_scope")
        try:
            return self.tell(living, token.scope)
        except AccessLost as error:
            raise self._invalid(network) from error

    def _invalid(self, network: str) -> BearerRefused:
        hit_networks(self.rates, "token", network)
        return BearerRefused("invalid_token")
