"""What a process does in a race; a module of its own, for new processes to import.

Each racer reports that it is ready, waits for the others, runs, and sends its outcome.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import text

from app.atproto.syntax.grammar import Did
from app.flows.errors import InvitationEnded, UsernameTaken
from app.flows.keys.change import ChangeRing
from app.flows.keys.prepare import PrepareKeys
from app.flows.native.refresh import RefreshApp
from app.flows.operator import Operator
from app.flows.sessions.logout import EndSession
from app.flows.sessions.session import SignedIn
from app.flows.sweep import Sweep, Swept
from app.stores.encryption import Cipher
from app.stores.keys import SqlSigningKeys
from app.stores.leases import SqlLease
from app.stores.logins import native_login_events
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.logins.native_login_events import SqlNativeLoginEvents
from app.stores.logins.native_logins import SqlNativeLogins
from app.stores.people.accounts import SqlAccounts
from app.stores.people.audit import SqlAudit
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.people.refresh_chains import SqlRefreshChains
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from app.stores.services.events import NewEvent, SqlServiceEvents, append
from app.stores.sql.database import Database, open_database
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON, FakeClock
from tests.flows.memory import NoLimit
from tests.stores.samples import ALICE, user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.atproto.client import OAuthClient
    from app.flows.ports import Session
    from app.flows.sessions.session import IssueToken

SECRET_KEY = bytes(range(32))
TIMEOUT = 60.0


Racer = Callable[[Database, Any], Any]


def race(racer: Racer, url: str, inputs: Sequence[Any]) -> list:
    """Run the racer in one process for each input and return what they report."""
    return race_each([(racer, given) for given in inputs], url)


def race_each(entries: Sequence[tuple[Racer, Any]], url: str) -> list:
    """Run racers, each with its input, in processes of their own."""
    # Forked from a process that has imported this module and nothing else has run in.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    barrier = context.Barrier(len(entries))
    lanes = [context.Pipe(duplex=False) for _ in entries]
    processes = [
        context.Process(target=_run, args=(*entry, url, barrier, lane[1]))
        for entry, lane in zip(entries, lanes, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        return [_outcome(receiving) for receiving, _ in lanes]
    finally:
        for process in processes:
            process.join(TIMEOUT)
            process.kill()
            process.close()


def _outcome(receiving: Any) -> Any:
    if not receiving.poll(TIMEOUT):
        raise TimeoutError("a racer did not come home")
    return receiving.recv()


def _run(racer: Any, given: Any, url: str, barrier: Any, sending: Any) -> None:
    database = open_database(url)
    barrier.wait(TIMEOUT)
    sending.send(racer(database, given))
    database.close()


def take_all(database: Database, states: Sequence[str]) -> list[str]:
    """Try to take every state; return those that this process got."""
    store = SqlStateStore(database, Cipher(SECRET_KEY), FakeClock())
    return [state for state in states if store.take(state) is not None]


def lease_all(database: Database, sessions: Sequence[str]) -> list[str]:
    """Try to lease every session of one account; return those that were granted."""
    store = SqlSessionStore(database, Cipher(SECRET_KEY))
    holder = secrets.token_urlsafe(16)
    term = {"holder": holder, "until": NOON + 45, "now": NOON}
    return [one for one in sessions if store.lease(ALICE, one, **term) is not None]


def sign_up(database: Database, person: tuple[Did, str]) -> str:
    """Ask for a username; return the one that the DID has afterwards, or nothing."""
    did, username = person
    try:
        wanted = user(did=did, username=username)
        return SqlUsers(database).add(wanted, skeleton="allce").username
    except UsernameTaken:
        return ""


def rename_away(database: Database, names: Sequence[str]) -> int:
    """Give the account of Alice one name after the other; each one before is held."""
    accounts = SqlAccounts(database)
    for name in names:
        current = accounts.by_did(ALICE)
        if current is not None:
            accounts.rename(
                current, name, skeleton=name, now=NOON, held_until=NOON + 100
            )
    return len(names)


def take_names(database: Database, names: Sequence[str]) -> list[str]:
    """Sign up with each name again and again; return those that were got."""
    users, got = SqlUsers(database), []
    for number in range(100):
        for name in names:
            person = Did(f"did:plc:{name}{number}")
            try:
                users.add(user(did=person, username=name), skeleton=name)
            except UsernameTaken:
                continue
            got.append(name)
    return got


def join_by_invitation(database: Database, given: tuple[str, Sequence[str]]) -> int:
    """Sign people up with one invitation; return how many it let in."""
    secret, people = given
    users, joined = SqlUsers(database), 0
    for name in people:
        someone = user(did=Did(f"did:plc:{name}"), username=name)
        try:
            users.add(someone, skeleton=name, invitation=secret)
        except InvitationEnded:
            continue
        joined += 1
    return joined


def write_events(database: Database, given: tuple[str, int]) -> int:
    """Add events, each in a transaction with other work; take every fifth back."""
    name, count = given
    audit, written = SqlAudit(database), 0
    for number in range(count):
        event = NewEvent("disabled", f"did:plc:{name}", {"number": number})
        with suppress(ZeroDivisionError), database.together():
            audit.record("before", now=NOON)
            with database.write() as connection:
                append(connection, [event], now=NOON)
            for _ in range(number % 4):
                audit.record("after", now=NOON)
            _ = 1 // (number % 5)
        written += bool(number % 5)
    return written


def follow_events(database: Database, until: int) -> list[int]:
    """Read events as a service does, until a number; return the numbers in order."""
    events, seen = SqlServiceEvents(database), [0]
    while seen[-1] < until:
        seen += [event.seq for event in events.since(seen[-1] + 1, 7)]
    return seen[1:]


def make_first_key(database: Database, ring: Any) -> str | None:
    """Prepare a ring; return the id of the key that this process made."""
    keys = SqlSigningKeys(database, Cipher(SECRET_KEY))
    change = ChangeRing(keys=keys, audit=SqlAudit(database), clock=lambda: NOON)
    made = PrepareKeys(change=change).prepare(ring, "ES256", operator=Operator("carol"))
    return made and made.kid


def deny_all(database: Database, login_ids: Sequence[str]) -> int:
    """Deny native logins one after the other; return how many it was."""
    logins = SqlNativeLogins(database, Cipher(SECRET_KEY))
    return sum(logins.deny(login_id, NOON) for login_id in login_ids)


def await_all(database: Database, login_ids: Sequence[str]) -> list[str]:
    """Await native logins one after the other; return those without a wake-up."""
    logins = SqlNativeLogins(database, Cipher(SECRET_KEY))
    changes = SqlNativeLoginEvents(database, lambda: NOON)
    native_login_events.POLL = 2 * TIMEOUT  # the watcher hears of each, or of none
    return [one for one in login_ids if not _is_woken(logins, changes, one)]


def refresh_all(database: Database, tokens: Sequence[str]) -> list[str | None]:
    """Refresh one chain after the other; return the successors."""

    class Tokens:
        def account(self, session: Session) -> SignedIn:
            return SignedIn(session=session, user=user(), token=None)

        def issue(self, session: Session) -> SignedIn:
            return SignedIn(session=session, user=user(), token="token")

    clock = FakeClock(NOON)
    sessions = SqlSessions(database, clock)
    ending = EndSession(
        client=cast("OAuthClient", None),
        sessions=sessions,
        audit=SqlAudit(database),
        clock=clock,
    )
    refreshing = RefreshApp(
        chains=SqlRefreshChains(database, clock),
        sessions=sessions,
        tokens=cast("IssueToken", Tokens()),
        ending=ending,
        rates=NoLimit(),
        token_lifetime=3600,
        clock=clock,
    )
    return [refreshing(token, address="").refresh_token for token in tokens]


def _is_woken(logins: Any, changes: Any, login_id: str) -> bool:
    woken = threading.Event()
    with changes.watch(login_id, woken.set):
        while logins.get(login_id).status == "pending":
            if not woken.wait(TIMEOUT / 2):
                return False
            woken.clear()
    return True


def sweep(database: Database, pause: float) -> Swept | None:
    """Sweep without haste, with a second between two steps."""
    return Sweep(
        expired=SqlExpired(database),
        lease=SqlLease(database, "sweep"),
        revoke=lambda did, session_id: None,
        clock=time.time,
        token_lifetime=0,
        keep_keys=lambda: 0,
        pause=lambda _: time.sleep(pause),
    ).run()


def apply_schema(database: Database, _: object) -> bool:
    """Create the tables."""
    database.apply_schema()
    return True


def upgrade_schema(database: Database, _: object) -> str | None:
    """Migrate; return the version that this process found."""
    before, _after = database.upgrade_schema(lambda _step: None)
    return before


def killed_in_upgrade(url: str, step: int) -> bool:
    """Migrate in another process, which is killed before this step."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_upgrade_until, args=(url, step))
    process.start()
    process.join(TIMEOUT)
    return process.exitcode == -signal.SIGKILL


def _upgrade_until(url: str, step: int) -> None:
    steps = itertools.count()

    def report(_: str) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    open_database(url).upgrade_schema(report)


def count_entries(database: Database, _: object) -> int:
    """Return how many cache entries this process sees."""
    with database.read() as connection:
        return connection.scalar(text("SELECT count(*) FROM cache_entries"))


def count_up(database: Database, times: int) -> int:
    """Read a number and write the next one, over and over."""
    for _ in range(times):
        with database.write() as connection:
            value = connection.scalar(text("SELECT expires_at FROM cache_entries"))
            connection.execute(
                text("UPDATE cache_entries SET expires_at = :next"), {"next": value + 1}
            )
    return times
