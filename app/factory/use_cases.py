"""The use cases, each built with its collaborators."""

from __future__ import annotations

from functools import partial

from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.identifier import parse_identifier
from app.flows import UseCases
from app.flows.callback import FinishLogin
from app.flows.devices import Devices
from app.flows.login import StartLogin
from app.flows.logout import EndSession, Logout, LogoutByToken
from app.flows.native.confirm import ConfirmNativeLogin, OpenNativeLogin
from app.flows.native.wait import AwaitNativeLogin, StartNativeLogin
from app.flows.places import Places
from app.flows.scope_requests import Permissions
from app.flows.session import Identify, IssueToken, RenewToken
from app.flows.signup import ChooseUsername
from app.flows.streams import OpenStreams
from app.flows.usernames import Usernames
from app.flows.verify import MOST_REMEMBERED, Verify
from app.flows.xrpc.call import CallPds, Limits
from app.flows.xrpc.call_records import RecordCall
from app.flows.xrpc.retry_after import Pauses
from app.tokens.issuer import TokenIssuer
from app.tokens.verifier import TokenVerifier

from .container import Parts

CALLS_AT_ONCE = 100
"""Calls of one process that may wait for slow hosts: the rest of it stays free."""

CALLS_AT_ONCE_EACH = 8
"""Of which one person may have so many, as many as a page opens at once."""


def open_use_cases(parts: Parts) -> UseCases:
    """Return one use case for each thing a visitor can do."""
    settings, stores, client = parts.settings, parts.stores, parts.client
    rings, limits, clock = parts.rings, parts.limits, parts.outside.clock
    verifier = TokenVerifier(
        ring=rings.platform,
        issuer=settings.public_url,
        audience=settings.token_audience,
        clock=clock,
    )
    tokens = IssueToken(
        users=stores.users,
        issuer=TokenIssuer(
            ring=rings.platform,
            issuer=settings.public_url,
            audience=settings.token_audience,
            lifetime=settings.token_lifetime,
            clock=clock,
        ),
    )
    identify = Identify(
        verifier=verifier, sessions=stores.sessions, users=stores.users, clock=clock
    )
    ending = EndSession(
        client=client, sessions=stores.sessions, audit=stores.audit, clock=clock
    )
    permissions = Permissions(scope=settings.scope, declared=settings.declared_scope)
    start_login = StartLogin(
        client=client,
        limits=limits,
        sessions=stores.sessions,
        permissions=permissions,
        redirect_uri=settings.redirect_uri,
        read_identifier=partial(
            parse_identifier,
            handle_suffix=settings.handle_suffix,
            allow_http=parts.policy.allow_http,
            allow_test=parts.policy.allow_test_names,
        ),
        signup_hosts=settings.signup_hosts,
    )
    return UseCases(
        permissions=permissions,
        start_login=start_login,
        finish_login=FinishLogin(
            client=client,
            sessions=stores.sessions,
            users=stores.users,
            native_logins=stores.native_logins,
            tokens=tokens,
            ending=ending,
            audit=stores.audit,
            clock=clock,
            session_lifetime=settings.session_lifetime,
        ),
        choose_username=ChooseUsername(
            sessions=stores.sessions,
            users=stores.users,
            usernames=Usernames.load(settings.reserved_usernames),
            tokens=tokens,
            audit=stores.audit,
            clock=clock,
        ),
        renew=RenewToken(sessions=stores.sessions, tokens=tokens, clock=clock),
        identify=identify,
        verify=Verify(
            identify=identify,
            seen=MemoryCache(clock, max_entries=MOST_REMEMBERED),
            clock=clock,
        ),
        devices=Devices(sessions=stores.sessions, ending=ending),
        logout=Logout(sessions=stores.sessions, verifier=verifier, ending=ending),
        logout_by_token=LogoutByToken(
            sessions=stores.sessions, verifier=verifier, ending=ending, rates=limits
        ),
        start_native=StartNativeLogin(
            logins=stores.native_logins,
            starting=start_login,
            public_url=settings.public_url,
            clock=clock,
        ),
        open_native=OpenNativeLogin(
            logins=stores.native_logins, starting=start_login, clock=clock
        ),
        confirm_native=ConfirmNativeLogin(
            logins=stores.native_logins,
            sessions=stores.sessions,
            tokens=tokens,
            ending=ending,
            audit=stores.audit,
            clock=clock,
            session_lifetime=settings.session_lifetime,
        ),
        await_native=AwaitNativeLogin(
            logins=stores.native_logins,
            sessions=stores.sessions,
            tokens=tokens,
            changes=stores.native_changes,
            streams=OpenStreams(settings.native_streams_per_address),
            token_lifetime=settings.token_lifetime,
            clock=clock,
        ),
        call_pds=CallPds(
            identify=identify,
            client=client,
            rules=settings.xrpc_allow,
            sizes=Limits(json=settings.xrpc_max_json, blob=settings.xrpc_max_blob),
            rates=limits,
            pauses=Pauses(cache=stores.cache, clock=clock),
            places=Places(altogether=CALLS_AT_ONCE, each=CALLS_AT_ONCE_EACH),
        ),
        record_call=RecordCall(audit=stores.audit, clock=clock),
    )
