"""GET /auth/callback: sign a browser in, hold a session for an app, or neither."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from app.atproto.errors import AccessDenied, HostUnreachable
from app.flows.callback.finish import FinishLogin, ScopeUpgradeSuperseded
from app.flows.callback.sign_in import NEWCOMER_LIFETIME, SignIn
from app.flows.errors import AccountDisabled, NativeLoginClosed
from app.flows.login.client_refusals import ClientRefusals
from app.flows.login.destination import Destination
from app.flows.native.callback import HoldForApp
from app.flows.provider.grants.ending import MoveGrants
from tests.stores.samples import ALICE, BOB, native_login, oauth_session, session, user

LIFETIME = 30 * 86_400.0
GRANT = (ALICE, "grant-1")


class Moves:
    """Notes which sessions' grants were moved, while the former one was live."""

    def __init__(self, sessions):
        self.sessions = sessions
        self.noted = []

    def move(self, from_sid, to_sid, *, expires_at):
        assert self.sessions.get(from_sid)
        assert self.sessions.get(to_sid).expires_at == expires_at
        self.noted.append(from_sid)
        return 1


@pytest.fixture
def grants(sessions):
    return Moves(sessions)


@pytest.fixture
def profiles():
    """The sessions whose accounts' profiles were asked for."""
    return []


@pytest.fixture
def finish_login(
    client,
    sessions,
    users,
    logins,
    tokens,
    ending,
    audit,
    clock,
    admission,
    grants,
    profiles,
):
    return FinishLogin(
        refusals=ClientRefusals(is_known=lambda _host: True, clock=lambda: 0.0),
        client=client,
        sessions=sessions,
        users=users,
        admission=admission,
        native_logins=logins,
        sign_in=SignIn(
            sessions=sessions,
            users=users,
            tokens=tokens,
            audit=audit,
            together=nullcontext,
            clock=clock,
            session_lifetime=LIFETIME,
        ),
        hold_for_app=HoldForApp(
            native_logins=logins,
            sessions=sessions,
            users=users,
            tokens=tokens,
            clock=clock,
        ),
        move_grants=MoveGrants(grants=grants),
        note_proof=lambda _destination, _session: None,
        note_profile=profiles.append,
        ending=ending,
        leave=None,  # tests/flows/people/test_deletion.py
        max_sessions=3,
        clock=clock,
    )


@pytest.fixture
def alice(users):
    return users.add(user(issuer="https://auth.test"), skeleton="allce")


@pytest.fixture
def finish(finish_login, client):
    """Call the callback for this grant and destination."""

    def call(granted=None, *, replaces=None, **destination):
        client.granted = granted or oauth_session()
        client.app_state = Destination(**destination).pack()
        return finish_login(
            [], browser_secrets=["flow"], device="Firefox", replaces=replaces
        )

    return call


# --- a browser


def test_finish_signs_the_browser_in_with_a_new_session(finish, sessions, alice, clock):
    finished = finish(return_to="/next")

    made = sessions.by_secret(finished.secret)
    assert finished.signed_in.token == f"token of {made.sid} for alice"
    assert finished.destination.return_to == "/next"
    assert made.pending_for is None
    assert made.expires_at == clock() + LIFETIME
    assert finished.moved_from is None


def test_finish_reads_the_profile_of_the_account(finish, profiles, alice):
    finished = finish()

    assert profiles == [finished.signed_in.session]


def test_finish_for_a_newcomer_waits_an_hour_for_the_signup(finish, sessions, clock):
    finished = finish(return_to="/next")

    made = sessions.by_secret(finished.secret)
    assert finished.signed_in.token is None
    assert made.pending_for == "signup"
    assert Destination.unpack(made.destination).return_to == "/next"
    assert made.expires_at == clock() + NEWCOMER_LIFETIME


def test_finish_ends_the_session_that_the_browser_had(finish, sessions, alice, client):
    sessions.add(session(oauth_session_id="grant-0"), secret="before")

    finish(replaces="before")

    assert sessions.by_secret("before") is None
    assert client.revoked == [(ALICE, "grant-0")]


def test_finish_moves_the_grants_of_apps_from_the_session_that_it_ends(
    finish, sessions, alice, grants
):
    sessions.add(session(sid="sid-0"), secret="before")

    finish(replaces="before")

    assert grants.noted == ["sid-0"]


def test_finish_for_another_account_moves_no_grants(finish, sessions, alice, grants):
    sessions.add(session(sid="sid-bob", did=BOB), secret="bobs")

    finish(replaces="bobs")

    assert grants.noted == []
    assert sessions.by_secret("bobs") is None


def test_finish_at_another_issuer_returns_moved_from_and_notes_the_new_one(
    finish, users, alice
):
    finished = finish(oauth_session(issuer="https://new.test"))

    assert finished.moved_from == "https://auth.test"
    assert users.get(ALICE).issuer == "https://new.test"


def test_finish_for_a_disabled_account_stores_nothing_and_revokes(
    finish, users, sessions, client
):
    users.add(user(disabled_at=1.0), skeleton="allce")

    with pytest.raises(AccountDisabled):
        finish()

    assert sessions.rows == {}
    assert client.revoked == [GRANT]


def test_finish_ends_the_sessions_beyond_max_sessions(finish, sessions, alice, clock):
    for place in range(4):
        kept = session(sid=f"old-{place}", seen_at=clock() - 60 + place)
        sessions.add(kept, secret=f"old-{place}")
    sessions.add(session(sid="bobs", did=BOB), secret="bobs")

    finished = finish()

    live = [one.sid for one in sessions.of(ALICE)]
    assert live == [finished.signed_in.session.sid, "old-3", "old-2"]
    assert sessions.get("bobs") is not None


# --- a scope upgrade


@pytest.mark.parametrize(
    ("upgrades", "is_superseded"), [("sid-0", True), ("sid-1", False), ("", False)]
)
def test_finish_of_a_scope_upgrade_never_narrows_another_one(
    finish, sessions, client, alice, upgrades, is_superseded
):
    wide = session(scope="atproto account:email", oauth_session_id="grant-0")
    sessions.add(wide, secret="before")

    finished = finish(replaces="before", upgrades=upgrades)

    assert isinstance(finished, ScopeUpgradeSuperseded) is is_superseded
    assert (sessions.by_secret("before") is not None) is is_superseded
    assert client.revoked == [GRANT if is_superseded else (ALICE, "grant-0")]


# --- an app


@pytest.fixture
def awaited(logins):
    login = native_login(login_id="login-1")
    logins.add(login, open_secret="link")
    return login


def test_finish_for_an_app_holds_a_session_and_signs_no_browser_in(
    finish, sessions, alice, awaited
):
    sessions.add(session(oauth_session_id="grant-0"), secret="before")

    finished = finish(native="login-1", replaces="before")

    held = sessions.by_secret(finished.secret)
    assert finished.signed_in.token is None
    assert (held.pending_for, held.app_name) == ("native", "Sketch")
    assert held.expires_at == awaited.expires_at
    assert sessions.by_secret("before") is not None


def test_finish_for_an_app_keeps_the_issuer_that_is_known(
    finish, users, alice, awaited
):
    finish(oauth_session(issuer="https://new.test"), native="login-1")

    assert users.get(ALICE).issuer == "https://auth.test"


def test_finish_for_an_app_that_no_longer_waits_revokes(
    finish, sessions, client, awaited, clock
):
    clock.advance(1800)

    with pytest.raises(NativeLoginClosed):
        finish(native="login-1")

    assert sessions.rows == {}
    assert client.revoked == [GRANT]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (AccessDenied("no"), "denied"),
        (HostUnreachable("auth.test", "refused"), "pending"),
    ],
)
def test_only_a_denial_at_the_host_denies_the_app(
    finish, client, logins, awaited, failure, status
):
    client.failure = failure
    client.failure.app_state = Destination(native="login-1").pack()

    with pytest.raises(type(failure)):
        finish()

    assert logins.get("login-1").status == status


def test_failed_storage_after_the_exchange_revokes(finish, sessions, client, alice):
    sessions.add = None

    with pytest.raises(TypeError):
        finish()

    assert client.revoked == [GRANT]


def test_destination_of_a_session_without_one_is_empty():
    assert Destination.unpack(None) == Destination()
    assert Destination.unpack(replace(Destination(), scope="a").pack()).scope == "a"
