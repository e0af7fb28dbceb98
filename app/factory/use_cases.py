"""The use cases, each built with its collaborators."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Did, host_of
from app.atproto.syntax.identifier import parse_identifier
from app.config import keep_development_key
from app.flows import UseCases
from app.flows.callback.finish import FinishLogin
from app.flows.callback.replay import ReplayCallback
from app.flows.callback.sign_in import SignIn
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.login.avatars import CACHE_BYTES, AvatarKey, FetchAvatar
from app.flows.login.client_refusals import ClientRefusals
from app.flows.login.scope_requests import Permissions
from app.flows.login.start import LOGINS_AT_ONCE, StartLogin
from app.flows.login.typing import CACHE_ENTRIES as TYPED_ENTRIES
from app.flows.login.typing import LookUpAhead, SuggestAccounts
from app.flows.native.callback import HoldForApp
from app.flows.native.confirm import ConfirmNativeLogin, DenyByFlow, OpenNativeLogin
from app.flows.native.refresh import RefreshApp
from app.flows.native.start import StartNativeLogin
from app.flows.native.wait import AwaitNativeLogin
from app.flows.people.deletion import DeleteAccount, LeavePlatform
from app.flows.people.lookup import LookUpAccounts
from app.flows.people.signup.admission import Admission
from app.flows.people.signup.choose import ChooseUsername
from app.flows.people.signup.usernames import Usernames
from app.flows.people.trail import OwnEvents
from app.flows.provider.authorization.proofs import NoteProof
from app.flows.provider.grants.ending import MoveGrants
from app.flows.services.events import POLLS, POLLS_PER_KEY, ReadEvents
from app.flows.services.keys import ServiceAccess
from app.flows.sessions.devices import Devices
from app.flows.sessions.logout import EndSession, Logout, LogoutByToken
from app.flows.sessions.renewal import RenewOnUse
from app.flows.sessions.revocations import CACHE_ENTRIES as FEED_ENTRIES
from app.flows.sessions.revocations import ListRevocations
from app.flows.sessions.session import Identify, IssueToken, RenewToken
from app.flows.sessions.verify import CACHE_ENTRIES, Verify
from app.flows.xrpc.call import CallPds
from app.flows.xrpc.call_audit import CallAudit
from app.flows.xrpc.retry_after import RetryAfter
from app.flows.xrpc.spool import Spool
from app.tokens.issuer import TokenIssuer
from app.tokens.verifier import SEEN_TOKENS, TokenVerifier

from .container import Parts
from .own_account import own_account_of
from .provider.authorization import front_channel_of
from .provider.profiles import note_profile_of
from .provider.tokens import tokens_of
from .stores import VAR, Stores

QUESTIONS_AT_ONCE = 20
"""Questions of one kind in one process while people type: suggestions, avatars, and
look-ups ahead. Each kind has a fifth of LOGINS_AT_ONCE, so that sign-ins find room."""

CALLS_AT_ONCE = 100
"""Calls of one process on /auth/xrpc that may wait for slow hosts at once."""

CALLS_AT_ONCE_PER_PDS = 50
"""Those that wait for one PDS: a slow one leaves half of the places to the others."""

SPOOL_BUDGET = 256 * 1024 * 1024
"""Bytes of bodies and answers of one process that are spooled at the same time."""

CALLS_AT_ONCE_EACH = 8
"""Those of one person: as many as a page opens at once."""


def open_use_cases(parts: Parts) -> UseCases:
    """Return one use case for each thing a visitor can do."""
    settings, stores, client = parts.settings, parts.stores, parts.client
    rings, limits, clock = parts.rings, parts.limits, parts.outside.clock
    observe = parts.observe
    verifier = TokenVerifier(
        ring=rings.platform,
        issuer=settings.public_url,
        audience=settings.token_audience,
        clock=clock,
        seen=MemoryCache(clock, max_entries=SEEN_TOKENS),
        reread=rings.reread_platform,
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
        verifier=verifier,
        standings=stores.standings,
        sessions=stores.sessions,
        clock=clock,
    )
    ending = EndSession(
        client=client, sessions=stores.sessions, audit=stores.audit, clock=clock
    )
    refresh_app = RefreshApp(
        chains=stores.refresh_chains,
        sessions=stores.sessions,
        tokens=tokens,
        ending=ending,
        rates=limits,
        token_lifetime=settings.token_lifetime,
        clock=clock,
        observe=observe,
    )
    admission = Admission(
        rule=settings.signup_allow,
        invitations=stores.invitations,
        handles=client,
        clock=clock,
    )
    services = ServiceAccess(keys=stores.service_keys, rates=limits, clock=clock)
    ending_process = threading.Event()
    permissions = Permissions(scope=settings.scope, declared=settings.declared_scope)
    refusals = ClientRefusals(is_known=parts.is_known, clock=clock)
    usernames = Usernames.load(settings.reserved_usernames)
    note_profile = note_profile_of(parts)
    app_tokens = tokens_of(parts)
    provider = front_channel_of(parts, authenticate=app_tokens.authenticate)
    leave = LeavePlatform(
        sessions=stores.sessions, users=stores.users, delete=delete_account(parts)
    )
    start_login = StartLogin(
        refusals=refusals,
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
        concurrency=ConcurrencyLimit(
            "service",
            total=LOGINS_AT_ONCE,
            retry_after=5,
            place="logins",
            observe=observe,
        ),
        observe=observe,
    )
    return UseCases(
        tokens=app_tokens,
        permissions=permissions,
        provider=provider,
        start_login=start_login,
        suggest_accounts=SuggestAccounts(
            http=parts.outside.http,
            url=settings.typeahead_url,
            limits=limits,
            concurrency=ConcurrencyLimit(
                "service", total=QUESTIONS_AT_ONCE, retry_after=2
            ),
            answers=MemoryCache(clock, max_entries=TYPED_ENTRIES),
        ),
        fetch_avatar=FetchAvatar(
            http=parts.outside.http,
            key=AvatarKey(settings.secret_key or keep_development_key(VAR)),
            limits=limits,
            concurrency=ConcurrencyLimit(
                "service", total=QUESTIONS_AT_ONCE, retry_after=2
            ),
            pictures=MemoryCache(clock, max_bytes=CACHE_BYTES),
        ),
        look_up_ahead=LookUpAhead(
            discover=lambda identifier, deadline: client.discover(
                identifier, deadline=deadline
            ),
            read_identifier=start_login.read_identifier,
            limits=limits,
            concurrency=ConcurrencyLimit(
                "service", total=QUESTIONS_AT_ONCE, retry_after=5
            ),
        ),
        finish_login=FinishLogin(
            refusals=refusals,
            client=client,
            sessions=stores.sessions,
            users=stores.users,
            admission=admission,
            native_logins=stores.native_logins,
            sign_in=SignIn(
                sessions=stores.sessions,
                users=stores.users,
                tokens=tokens,
                audit=stores.audit,
                together=stores.database.together,
                clock=clock,
                session_lifetime=settings.session_lifetime,
            ),
            hold_for_app=HoldForApp(
                native_logins=stores.native_logins,
                sessions=stores.sessions,
                users=stores.users,
                tokens=tokens,
                clock=clock,
            ),
            move_grants=MoveGrants(grants=stores.app_grants),
            note_proof=NoteProof(keep=provider.authorize.keep),
            note_profile=note_profile,
            ending=ending,
            leave=leave,
            max_sessions=settings.max_sessions,
            clock=clock,
            observe=observe,
        ),
        replay_callback=ReplayCallback(answers=stores.callback_answers, clock=clock),
        choose_username=ChooseUsername(
            sessions=stores.sessions,
            users=stores.users,
            usernames=usernames,
            admission=admission,
            native_logins=stores.native_logins,
            ending=ending,
            note_profile=note_profile,
            limits=limits,
            tokens=tokens,
            audit=stores.audit,
            clock=clock,
            session_lifetime=settings.session_lifetime,
        ),
        renew=RenewToken(sessions=stores.sessions, tokens=tokens, clock=clock),
        identify=identify,
        verify=Verify(
            identify=replace(identify, verifier=replace(verifier, seen=None)),
            seen=MemoryCache(clock, max_entries=CACHE_ENTRIES),
            clock=clock,
            observe=observe,
        ),
        renew_on_use=RenewOnUse(identify=identify, tokens=tokens, clock=clock),
        read_events=ReadEvents(
            access=services,
            stored=stores.service_events,
            polls=ConcurrencyLimit(
                "polls",
                total=POLLS,
                per_key=POLLS_PER_KEY,
                retry_after=5,
                place="polls",
                observe=observe,
            ),
            newest=MemoryCache(clock, max_entries=1),
            ending=ending_process,
        ),
        look_up_accounts=LookUpAccounts(
            identify=identify,
            accounts=stores.accounts,
            rates=limits,
            services=services,
            is_visible=settings.users_visible == "signed_in",
        ),
        list_revocations=ListRevocations(
            sessions=stores.sessions,
            ring=rings.platform,
            issuer=settings.public_url,
            token_lifetime=settings.token_lifetime,
            clock=clock,
            answers=MemoryCache(clock, max_entries=FEED_ENTRIES),
        ),
        devices=Devices(sessions=stores.sessions, ending=ending),
        admission=admission,
        leave=leave,
        own_account=own_account_of(parts, usernames),
        own_events=OwnEvents(trail=stores.audit_trail),
        logout=Logout(sessions=stores.sessions, verifier=verifier, ending=ending),
        logout_by_token=LogoutByToken(
            sessions=stores.sessions, verifier=verifier, ending=ending, rates=limits
        ),
        start_native=StartNativeLogin(
            logins=stores.native_logins,
            starting=start_login,
            public_url=settings.public_url,
            clock=clock,
            observe=observe,
        ),
        open_native=OpenNativeLogin(
            logins=stores.native_logins, starting=start_login, clock=clock
        ),
        deny_by_flow=DenyByFlow(logins=stores.native_logins, clock=clock),
        confirm_native=ConfirmNativeLogin(
            logins=stores.native_logins,
            sessions=stores.sessions,
            tokens=tokens,
            ending=ending,
            audit=stores.audit,
            clock=clock,
            session_lifetime=settings.session_lifetime,
            observe=observe,
        ),
        await_native=AwaitNativeLogin(
            logins=stores.native_logins,
            sessions=stores.sessions,
            tokens=tokens,
            refreshing=refresh_app,
            events=stores.native_login_events,
            streams=ConcurrencyLimit(
                "streams",
                per_key=settings.native_streams_per_address,
                retry_after=30,
                place="streams",
                observe=observe,
            ),
            token_lifetime=settings.token_lifetime,
            clock=clock,
            observe=observe,
            ending=ending_process,
        ),
        refresh_app=refresh_app,
        call_pds=CallPds(
            refusals=refusals,
            identify=identify,
            client=client,
            allowed=settings.xrpc_allow,
            max_json=settings.xrpc_max_json,
            max_blob=settings.xrpc_max_blob,
            rates=limits,
            retry_after=RetryAfter(cache=stores.cache, clock=clock),
            concurrency=ConcurrencyLimit(
                "calls",
                total=CALLS_AT_ONCE,
                per_key=CALLS_AT_ONCE_EACH,
                retry_after=2,
                place="calls",
                observe=observe,
            ),
            concurrency_of_pds=ConcurrencyLimit(
                "calls",
                per_key=CALLS_AT_ONCE_PER_PDS,
                retry_after=2,
                place="calls_of_pds",
                observe=observe,
            ),
            observe=observe,
            pds_of=partial(_pds_of, stores),
            spool=Spool(SPOOL_BUDGET),
            audit=CallAudit(audit=stores.audit, rates=limits, clock=clock),
        ),
    )


def delete_account(parts: Parts) -> DeleteAccount:
    """Return the use case of `users delete` and of "leave" on the account page."""
    return DeleteAccount(
        sessions=parts.stores.sessions,
        native_logins=parts.stores.native_logins,
        erasure=parts.stores.erasure,
        revoke=lambda did, session_id, deadline: parts.client.revoke(
            did, session_id, deadline=deadline, keep_unanswered=True
        ),
        clock=parts.outside.clock,
        username_hold=parts.settings.username_hold,
    )


def _pds_of(stores: Stores, did: Did, session_id: str) -> str:
    grant = stores.grants.get(did, session_id)
    return host_of(grant.pds) if grant else ""
