from __future__ import annotations

from dataclasses import replace

import pytest

from app.flows.errors import StorageFailed
from app.stores.logins.native_logins import SqlNativeLogins
from app.telemetry.context import login_id_of
from tests.stores.samples import ALICE, native_login, session

OPEN_SECRET = "canary-open-secret"
COOKIE = "canary-native-cookie"
MONTH = 30 * 86_400


@pytest.fixture
def logins(database, cipher):
    return SqlNativeLogins(database, cipher)


@pytest.fixture
def waiting(logins, sessions):
    """A login whose person was proved and has not decided yet."""
    login = native_login()
    logins.add(login, open_secret=OPEN_SECRET)
    undecided = session(
        pending_for="native",
        destination='{"native": "login-1"}',
        app_name="Sketch",
        expires_at=login.expires_at,
    )
    sessions.add(undecided, secret=COOKIE)
    return login


def let_in(clock, **changes):
    return session(app_name="Sketch", expires_at=clock() + MONTH, **changes)


def test_a_login_is_found_by_the_app_and_by_the_link(logins):
    logins.add(native_login(), open_secret=OPEN_SECRET)
    added = replace(native_login(), log_id=login_id_of(OPEN_SECRET))

    assert logins.get("login-1") == added
    assert logins.by_open_secret(OPEN_SECRET) == added


def test_neither_the_id_nor_the_hash_serves_as_the_links_secret(logins, database):
    logins.add(native_login(), open_secret=OPEN_SECRET)
    with database.read() as connection:
        stored = connection.exec_driver_sql(
            "SELECT open_hash FROM native_logins"
        ).scalar()

    assert logins.by_open_secret("login-1") is None
    assert logins.by_open_secret(stored) is None
    assert logins.get(OPEN_SECRET) is None


def test_a_link_belongs_to_one_login(logins):
    logins.add(native_login(), open_secret=OPEN_SECRET)

    with pytest.raises(StorageFailed):
        logins.add(native_login(login_id="login-2"), open_secret=OPEN_SECRET)


def test_only_the_first_visit_of_a_link_is_the_first(logins, clock):
    logins.add(native_login(), open_secret=OPEN_SECRET)

    assert logins.open("login-1", clock()) is True
    assert logins.open("login-1", clock()) is False
    assert logins.get("login-1").opened_at == clock()


def test_letting_an_app_in_hands_the_session_over(logins, sessions, waiting, clock):
    assert logins.complete("login-1", session=let_in(clock), now=clock()) is True

    login = logins.get("login-1")
    assert (login.status, login.sid, login.did) == ("completed", "sid-1", ALICE)
    assert login.decided_at == clock()
    handed_over = sessions.get("sid-1")
    assert handed_over.pending_for is None
    assert handed_over.destination is None
    assert handed_over.expires_at == clock() + MONTH
    assert handed_over.app_name == "Sketch"


def test_browser_secret_after_complete_opens_no_session(
    logins, sessions, waiting, clock
):
    logins.complete("login-1", session=let_in(clock), now=clock())

    assert sessions.by_secret(COOKIE) is None


def test_an_app_is_kept_out_for_good(logins, waiting, clock):
    assert logins.deny("login-1", clock()) is True
    assert logins.complete("login-1", session=let_in(clock), now=clock()) is False

    assert logins.get("login-1").status == "denied"


def test_a_decision_is_taken_once(logins, sessions, waiting, clock):
    assert logins.complete("login-1", session=let_in(clock), now=clock()) is True
    assert logins.complete("login-1", session=let_in(clock), now=clock()) is False
    assert logins.deny("login-1", clock()) is False

    assert logins.get("login-1").status == "completed"


def test_nothing_is_decided_after_the_end(logins, sessions, waiting, clock):
    clock.advance(waiting.expires_at - clock())

    assert logins.open("login-1", clock()) is False
    assert logins.complete("login-1", session=let_in(clock), now=clock()) is False
    assert logins.deny("login-1", clock()) is False
    assert logins.get("login-1").status == "pending"


def test_no_app_is_let_in_with_a_session_that_has_ended(
    logins, sessions, waiting, clock
):
    sessions.end("sid-1", clock())

    assert logins.complete("login-1", session=let_in(clock), now=clock()) is False
    assert logins.get("login-1").status == "pending"


def test_a_delivery_is_acknowledged_once_and_only_when_there_was_one(
    logins, waiting, clock
):
    assert logins.acknowledge("login-1", clock()) is False

    logins.complete("login-1", session=let_in(clock), now=clock())

    assert logins.acknowledge("login-1", clock()) is True
    assert logins.acknowledge("login-1", clock()) is False
    assert logins.get("login-1").acknowledged_at == clock()
