"""The use cases of /oauth/authorize, /oauth/consent and /oauth/par."""

from __future__ import annotations

from functools import partial

from app.factory.container import Parts
from app.flows.provider.authorization.answers import AnswerApp
from app.flows.provider.authorization.authorize import Authorize
from app.flows.provider.authorization.codes import IssueCode
from app.flows.provider.authorization.consent import AnswerRequest
from app.flows.provider.authorization.grant import GrantRequest
from app.flows.provider.authorization.request import ReadRequest
from app.flows.provider.authorization.waiting import KeepRequests
from app.flows.provider.front import FrontChannel
from app.flows.provider.push import PushRequest
from app.flows.provider.tokens.client_authentication import AuthenticateClient
from app.tokens.id_token_hints import IdTokenHints

from .clients import judge_of, registration_rules
from .grants import lifetimes_of


def front_channel_of(parts: Parts, *, authenticate: AuthenticateClient) -> FrontChannel:
    """Return the use cases of authorization, consent and pushed requests.

    `authenticate` is that of the token endpoint: it has fetched the keys of clients.
    """
    stores, clock = parts.stores, parts.outside.clock
    read = ReadRequest(
        clients=stores.clients, redirects=registration_rules(parts).redirects
    )
    keep = KeepRequests(waiting=stores.waiting_requests, clock=clock)
    read_hint = IdTokenHints(
        ring=parts.rings.id_tokens, issuer=parts.settings.public_url
    )
    answers = AnswerApp(issuer=parts.settings.public_url)
    authorize = Authorize(
        read=read,
        keep=keep,
        read_hint=read_hint,
        sessions=stores.sessions,
        users=stores.users,
        consents=stores.consents,
        judge=judge_of(parts),
        id_tokens=parts.rings.id_tokens,
        grant=_grant_of(parts, answers),
        answers=answers,
        limits=parts.limits,
        clock=clock,
    )
    return FrontChannel(
        authorize=authorize,
        consent=AnswerRequest(authorize=authorize),
        push=PushRequest(
            authenticate=authenticate,
            read=read,
            keep=keep,
            read_hint=read_hint,
            limits=parts.limits,
        ),
    )


def _grant_of(parts: Parts, answers: AnswerApp) -> GrantRequest:
    stores, clock = parts.stores, parts.outside.clock
    return GrantRequest(
        grants=stores.app_grants,
        consents=stores.consents,
        codes=IssueCode(codes=stores.codes, clock=clock),
        answers=answers,
        lifetimes=lifetimes_of(parts.settings),
        audit=stores.audit,
        together=stores.database.together,
        together_soon=partial(stores.database.together, durable=False),
        clock=clock,
    )
