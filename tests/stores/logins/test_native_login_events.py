"""An await of a native login is woken by a decision in any process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, text

from app.flows.errors import StorageFailed
from app.flows.ports import DecidedLogin
from app.stores.logins import native_login_events as module
from app.stores.logins.native_login_events import SqlNativeLoginEvents
from app.stores.logins.native_logins import SqlNativeLogins
from app.stores.people.sessions import SqlSessions
from app.stores.sql.database import open_database
from tests.fakes.clock import NOON
from tests.fakes.threads import no_new_threads
from tests.stores.racers import await_all, deny_all, race_each
from tests.stores.samples import ALICE, native_login, session

ROOT = Path(__file__).parents[3]
SOON = 30.0
NEVER = 0.3


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """Wake-ups come from the notification: the watcher does not poll meanwhile."""
    monkeypatch.setattr(module, "POLL", 10 * SOON)


@pytest.fixture
def logins(database, cipher):
    return SqlNativeLogins(database, cipher)


@pytest.fixture
def events(database, clock):
    return SqlNativeLoginEvents(database, clock)


@pytest.fixture
def elsewhere(database_url, cipher):
    """The same logins, decided over the connections of another process."""
    other = open_database(database_url)
    yield SqlNativeLogins(other, cipher)
    other.close()


def add(logins, *names):
    for name in names:
        logins.add(native_login(login_id=name), open_secret=name)


class Waiter:
    """A caller that awaits a login."""

    def __init__(self):
        self.woken = threading.Event()
        self.thread = None

    def wake(self):
        self.thread = threading.current_thread()
        self.woken.set()

    def is_woken(self, within=SOON):
        woken = self.woken.wait(within)
        self.woken.clear()
        return woken


@contextmanager
def waiting(events, *names):
    """Wait for logins; the watcher listens, and the wake-ups of its start are over."""
    with ExitStack() as stack:
        first = Waiter()
        stack.enter_context(events.watch("a login", first.wake))
        assert first.is_woken()
        waiters = [Waiter() for _ in names]
        for name, waiter in zip(names, waiters, strict=True):
            stack.enter_context(events.watch(name, waiter.wake))
        yield waiters


def ends(events):
    ends = time.monotonic() + SOON
    while events._watcher is not None and time.monotonic() < ends:
        time.sleep(0.01)
    return events._watcher is None


def test_decision_wakes_only_the_waiters_of_that_login(logins, events, elsewhere):
    add(logins, "mine", "another")
    with waiting(events, "mine", "mine", "another") as (first, second, other):
        elsewhere.deny("mine", NOON)

        assert first.is_woken()
        assert second.is_woken()
        assert not other.is_woken(NEVER)


def test_a_decision_of_the_same_process_wakes_as_well(logins, events):
    add(logins, "mine")
    with waiting(events, "mine") as (waiter,):
        logins.deny("mine", NOON)

        assert waiter.is_woken()


def test_watcher_that_could_not_start_starts_for_the_next_waiter(events):
    refused = Waiter()
    with (
        no_new_threads(),
        pytest.raises(RuntimeError),
        events.watch("mine", refused.wake),
    ):
        pass
    waiter = Waiter()
    with events.watch("another", waiter.wake):
        assert waiter.is_woken()
    assert ends(events)
    assert not refused.woken.is_set()


def test_other_commits_wake_no_waiter(logins, events, elsewhere):
    add(logins, "mine")
    with waiting(events, "mine") as (waiter,):
        add(elsewhere, "another")
        elsewhere.deny("another", NOON)

        assert not waiter.is_woken(NEVER)


def test_woken_waiters_have_their_decisions_from_one_statement(
    logins, events, elsewhere, database
):
    names = [f"login-{number}" for number in range(20)]
    add(logins, *names)
    statements = []
    noted = partial(_note_decisions, statements)
    with ExitStack() as stack:
        stack.enter_context(waiting(events))
        waiters = [Waiter() for _ in names]
        watches = [
            stack.enter_context(events.watch(name, waiter.wake))
            for name, waiter in zip(names, waiters, strict=True)
        ]
        event.listen(database._engine, "before_cursor_execute", noted)
        with elsewhere._database.together():
            for name in names:
                elsewhere.deny(name, NOON)

        assert all(waiter.is_woken() for waiter in waiters)

    decided = [(one.decided.login_id, one.decided.status) for one in watches]
    assert decided == [(name, "denied") for name in names]
    assert len(statements) <= 2  # PostgreSQL may notify in two parts


def _note_decisions(statements, _connection, _cursor, statement, *_more):
    if "login_id IN" in statement:
        statements.append(statement)


def test_more_waiters_than_one_statement_reads_have_their_decisions(
    logins, events, elsewhere, monkeypatch
):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    names = [f"login-{number}" for number in range(5)]
    add(logins, *names)
    with ExitStack() as stack:
        stack.enter_context(waiting(events))
        waiter = Waiter()
        watches = [stack.enter_context(events.watch(one, waiter.wake)) for one in names]
        with elsewhere._database.together():
            for name in names:
                elsewhere.deny(name, NOON)
        ends = time.monotonic() + SOON
        while not all(one.decided for one in watches) and time.monotonic() < ends:
            waiter.is_woken(0.01)

        assert [one.decided.login_id for one in watches] == names


def test_decision_of_a_completed_login_is_handed_over_with_its_session(
    logins, events, elsewhere, database, clock
):
    add(logins, "mine")
    SqlSessions(database, clock).add(
        session(pending_for="native", app_name="Sketch"), secret="cookie"
    )
    waiter = Waiter()
    with waiting(events), events.watch("mine", waiter.wake) as watched:
        elsewhere.complete("mine", session=session(app_name="Sketch"), now=NOON)
        assert waiter.is_woken()

        assert watched.decided == DecidedLogin(
            login_id="mine",
            status="completed",
            sid="sid-1",
            did=ALICE,
            decided_at=NOON,
            acknowledged_at=None,
        )


def test_decision_between_the_first_look_and_the_sleep_is_handed_over(
    logins, events, elsewhere
):
    add(logins, "mine")
    waiter = Waiter()
    with waiting(events), events.watch("mine", waiter.wake) as watched:
        assert logins.get("mine").status == "pending"
        elsewhere.deny("mine", NOON)

        assert waiter.is_woken()
        assert watched.decided.status == "denied"


def test_waiter_that_is_woken_before_its_decision_reads_for_itself(logins, events):
    add(logins, "mine")
    waiter = Waiter()
    with waiting(events), events.watch("mine", waiter.wake) as watched:
        events.wake_all()

        assert waiter.is_woken()
        assert watched.decided is None


def test_a_later_waiter_is_woken_too(logins, events, elsewhere):
    add(logins, "early", "late")
    late = Waiter()
    with waiting(events, "early"), events.watch("late", late.wake):
        elsewhere.deny("late", NOON)

        assert late.is_woken()


@pytest.mark.process
def test_no_wake_up_is_lost_in_a_race_of_two_processes(logins, database_url):
    """Subscribe, look, wait: a decision at any moment is heard of."""
    names = [f"login-{number}" for number in range(300)]
    add(logins, *names)

    lost, denied = race_each([(await_all, names), (deny_all, names)], database_url)

    assert lost == []
    assert denied == len(names)


def test_the_watcher_begins_with_the_first_waiter_and_ends_with_the_last(
    logins, events
):
    assert events._watcher is None

    with waiting(events, "mine"):
        watcher = events._watcher
        with events.watch("another", Waiter().wake):
            assert events._watcher is watcher
        time.sleep(NEVER)
        assert events._watcher is watcher
    assert ends(events)
    watcher.join(SOON)
    assert not watcher.is_alive()


def test_waiters_that_left_are_forgotten_and_their_successors_are_woken(
    logins, events, elsewhere
):
    add(logins, "mine")
    for _ in range(3):
        with waiting(events, "mine"):
            pass
        assert events._waiting == {}
        assert ends(events)
    with waiting(events, "mine") as (waiter,):
        elsewhere.deny("mine", NOON)

        assert waiter.is_woken()


def test_wake_all_wakes_every_waiter(events):
    with waiting(events, "one", "two") as waiters:
        events.wake_all()

        assert all(waiter.is_woken() for waiter in waiters)


def test_failing_wake_does_not_stop_the_others(logins, events, elsewhere, caplog):
    def fail():
        raise RuntimeError("the event loop is closed")

    add(logins, "mine")
    with waiting(events, "mine") as (waiter,), events.watch("mine", fail):
        for _ in range(2):
            elsewhere.deny("mine", NOON)
            events.wake_all()
            assert waiter.is_woken()
    assert "could not be woken" in caplog.text


def test_a_coroutine_is_woken_from_the_watchers_thread(logins, events, elsewhere):
    add(logins, "mine")

    async def wait():
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        with events.watch("mine", lambda: loop.call_soon_threadsafe(woken.set)):
            await asyncio.wait_for(woken.wait(), SOON)
            woken.clear()
            await asyncio.to_thread(elsewhere.deny, "mine", NOON)
            await asyncio.wait_for(woken.wait(), SOON)

    asyncio.run(wait())


class Interrupted:
    """A database that fails its listeners as often as it is told to."""

    def __init__(self, database, failures):
        self._database = database
        self.failures = failures

    @contextmanager
    def listen(self, channel):
        if self.failures:
            raise self.failures.pop()
        with self._database.listen(channel) as listener:
            yield listener


@pytest.mark.parametrize(
    "failure", [StorageFailed("database is locked"), ZeroDivisionError("a bug")]
)
def test_failed_watcher_starts_again_and_wakes_all(
    database, logins, elsewhere, clock, monkeypatch, caplog, failure
):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    events = SqlNativeLoginEvents(Interrupted(database, [failure] * 3), clock)
    add(logins, "mine")
    with waiting(events, "mine") as (waiter,):
        elsewhere.deny("mine", NOON)

        assert waiter.is_woken()
    assert caplog.text.count("not watched") == 3


@pytest.mark.process
def test_a_listener_whose_connection_was_cut_listens_again(
    postgres_database, cipher, clock
):
    logins = SqlNativeLogins(postgres_database, cipher)
    events = SqlNativeLoginEvents(postgres_database, clock)
    add(logins, "mine")
    with waiting(events, "mine") as (waiter,):
        with postgres_database.read() as connection:
            cut = connection.execute(
                text("""
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()
                """)
            ).all()

        assert cut
        assert waiter.is_woken()
        logins.deny("mine", NOON)
        assert waiter.is_woken()


@pytest.mark.process
def test_lost_notification_is_found_by_the_next_poll(
    postgres_database, cipher, clock, monkeypatch
):
    """A notification may get lost on the way, behind a pooler for instance."""
    monkeypatch.setattr(module, "POLL", 0.0)
    monkeypatch.setattr(type(postgres_database), "notify", lambda *_: None)
    logins = SqlNativeLogins(postgres_database, cipher)
    events = SqlNativeLoginEvents(postgres_database, clock)
    add(logins, "mine")
    with waiting(events, "mine") as (waiter,):
        logins.deny("mine", NOON)

        assert waiter.is_woken()


def test_a_clock_that_is_set_back_hides_no_decision(
    sqlite_database, cipher, clock, sqlite_url
):
    logins = SqlNativeLogins(sqlite_database, cipher)
    events = SqlNativeLoginEvents(sqlite_database, clock)
    add(logins, "mine")
    with waiting(events, "mine") as (waiter,):
        clock.advance(-3_600)
        logins.deny("mine", clock())

        assert waiter.is_woken()


GREENLETS = """
import gevent.monkey
gevent.monkey.patch_all()
import os, sys, time, gevent
from gevent.event import Event
from app.stores.logins import native_login_events as module
from app.stores.logins.native_login_events import SqlNativeLoginEvents
from app.stores.encryption import Cipher
from app.stores.sql.database import open_database
from app.stores.logins.native_logins import SqlNativeLogins
from tests.stores.racers import SECRET_KEY
module.POLL = 300.0
database = open_database(sys.argv[1])
events = SqlNativeLoginEvents(database, time.time)
logins = SqlNativeLogins(open_database(sys.argv[1]), Cipher(SECRET_KEY))
child = os.fork()  # as gunicorn does after loading the application
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.exit()
woken = Event()
with events.watch("mine", woken.set), gevent.Timeout(30):
    woken.wait()
    woken.clear()
    # A second, or minutes: a listener of PostgreSQL that blocks does so for a second
    # at a time.
    for _ in range(200):
        gevent.sleep(0.005)
    logins.deny("mine", time.time())
    woken.wait()
os._exit(0)
"""


@pytest.mark.process
def test_greenlets_of_a_forked_worker_go_on_while_it_listens(logins, database_url):
    logins.add(
        native_login(login_id="mine", expires_at=time.time() + 60), open_secret="mine"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", GREENLETS, database_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.strip() == "0", done.stderr
