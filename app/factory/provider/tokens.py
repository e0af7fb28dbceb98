"""The use cases of tokens for apps: what OAuth clients ask without a browser."""

from __future__ import annotations

from app.factory.container import Parts
from app.flows.provider.authorization.codes import RedeemCode
from app.flows.provider.tokens import TokenUseCases
from app.flows.provider.tokens.access import FindAccess
from app.flows.provider.tokens.assertions import ClientKeySets, VerifyAssertion
from app.flows.provider.tokens.client_authentication import AuthenticateClient
from app.flows.provider.tokens.exchange import ExchangeToken
from app.flows.provider.tokens.id_token import IssueIdToken
from app.flows.provider.tokens.introspect import IntrospectToken
from app.flows.provider.tokens.issue import IssueTokens, StoreTokens
from app.flows.provider.tokens.revoke import RevokeToken
from app.flows.provider.tokens.telling import TellApp
from app.flows.provider.tokens.userinfo import UserInfo

from .clients import claim_rules, judge_of
from .grants import lifetimes_of


def _authenticate_of(parts: Parts) -> AuthenticateClient:
    clock = parts.outside.clock
    return AuthenticateClient(
        clients=parts.stores.clients,
        rates=parts.limits,
        verify=VerifyAssertion(
            keys=ClientKeySets(http=parts.outside.http, clock=clock),
            used=parts.stores.assertions,
            issuer=parts.settings.public_url,
            clock=clock,
        ),
    )


def tokens_of(parts: Parts) -> TokenUseCases:
    """Return the use cases of the token, userinfo, introspect and revoke routes."""
    settings, stores, clock = parts.settings, parts.stores, parts.outside.clock
    authenticate = _authenticate_of(parts)
    tell = TellApp(
        judge=judge_of(parts), groups=stores.groups, rules=claim_rules(settings)
    )
    find = FindAccess(
        tokens=stores.access_tokens, grants=stores.app_grants, clock=clock
    )
    return TokenUseCases(
        authenticate=authenticate,
        exchange=ExchangeToken(
            authenticate=authenticate,
            codes=stores.codes,
            grants=stores.app_grants,
            issue=IssueTokens(
                tell=tell,
                id_token=IssueIdToken(
                    ring=parts.rings.id_tokens,
                    issuer=settings.public_url,
                    lifetime=settings.id_token_lifetime,
                    clock=clock,
                ),
                lifetime=settings.access_token_lifetime,
                clock=clock,
            ),
            store=StoreTokens(
                redeem=RedeemCode(codes=stores.codes, clock=clock),
                grants=stores.app_grants,
                tokens=stores.access_tokens,
                together=stores.database.together,
                lifetimes=lifetimes_of(settings),
                audit=stores.audit,
                clock=clock,
            ),
            platform_audience=settings.token_audience,
        ),
        userinfo=UserInfo(find=find, tell=tell, rates=parts.limits),
        introspect=IntrospectToken(
            authenticate=authenticate,
            find=find,
            grants=stores.app_grants,
            tell=tell,
            issuer=settings.public_url,
        ),
        revoke=RevokeToken(
            authenticate=authenticate,
            grants=stores.app_grants,
            tokens=stores.access_tokens,
            audit=stores.audit,
            clock=clock,
        ),
    )
