"""Tokens of apps: issued, refreshed, told about, introspected and revoked.

`TokenUseCases` is what the routes of OAuth clients get.
"""

from __future__ import annotations

from dataclasses import dataclass

from .client_authentication import AuthenticateClient
from .exchange import ExchangeToken
from .introspect import IntrospectToken
from .revoke import RevokeToken
from .userinfo import UserInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUseCases:
    """What an OAuth client can do without a browser."""

    authenticate: AuthenticateClient
    exchange: ExchangeToken
    userinfo: UserInfo
    introspect: IntrospectToken
    revoke: RevokeToken
