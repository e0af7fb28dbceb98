"""Native login events: a watcher thread wakes the requests that wait for a decision.

One watcher a process, however many streams are open: on SQLite it looks whether a
commit happened, on PostgreSQL it LISTENs. It starts with the first waiter and stops
with the last, so nothing runs before a fork. Under gevent the thread is a greenlet;
`wake` is called on it.

The watcher reads the decisions for all waiters together and hands each one its own, so
that hundreds of streams that are woken at once do not ask one by one.

No wake-up is lost: a waiter registers before it looks, and the watcher wakes all of
them each time it begins to listen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import Final, Self

from sqlalchemy import Connection, Text, bindparam, text

from app.flows.errors import StorageFailed
from app.flows.ports import DecidedLogin, NativeLoginEvents, Watched
from app.stores.sql.database import Database
from app.stores.sql.dialect import Listener
from app.stores.sql.records import columns_of, fetching

from .native_logins import CHANNEL

log = logging.getLogger(__name__)

POLL: Final = 5.0
"""Seconds after which the table is read without a notification: one may be lost."""

MARGIN: Final = 60.0
"""Seconds by which a commit may be later than its `decided_at`, or a clock wrong."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0

AT_ONCE: Final = 500
"""Decisions that one statement reads; between two of them others have their turn."""

DECIDED = text("SELECT login_id FROM native_logins WHERE decided_at >= :since")
DECISIONS = fetching(
    columns_of(DecidedLogin),
    "SELECT {columns} FROM native_logins"
    " WHERE login_id IN :login_ids AND status <> 'pending'",
).bindparams(bindparam("login_ids", expanding=True, type_=Text))


class SqlNativeLoginEvents(NativeLoginEvents):
    """Wakes the waiters of a native login when any node has decided it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, list[_Watch]] = {}
        self._watcher: threading.Thread | None = None

    def watch(
        self, login_id: str, wake: Callable[[], None]
    ) -> AbstractContextManager[Watched]:
        """Call `wake` when the login may have changed, until the block ends.

        Does not wait for the database. Read the login once after entering.
        """
        return _Watch(self, login_id, wake)

    def enter(self, watch: _Watch) -> None:
        """Register a waiter; the context manager of `watch` calls it, and `leave`."""
        with self._lock:
            self._begin()
            self._waiting.setdefault(watch.login_id, []).append(watch)

    def leave(self, watch: _Watch) -> None:
        """Remove a waiter."""
        with self._lock:
            watches = self._waiting[watch.login_id]
            watches.remove(watch)
            if not watches:
                del self._waiting[watch.login_id]

    def wake_all(self) -> None:
        with self._lock:
            watches = [one for watches in self._waiting.values() for one in watches]
        _wake(watches)

    def _begin(self) -> None:
        if self._watcher is None:
            watcher = threading.Thread(
                target=self._run, name="native-login-events", daemon=True
            )
            watcher.start()  # when no thread can be started, the next waiter tries
            self._watcher = watcher

    # --- on the watcher's thread

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._is_over():
            try:
                with self._database.listen(CHANNEL) as listener:
                    pause = FIRST_PAUSE
                    self._follow(listener)
                continue
            except StorageFailed as error:
                log.warning("native logins are not watched: %s", error)
            except Exception:  # the waiters depend on this thread
                log.exception("native logins are not watched")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _follow(self, listener: Listener) -> None:
        asked = self._clock()
        self.wake_all()  # decisions before LISTEN are not notified
        while not self._is_over():
            notified = listener.wait()
            now = self._clock()
            if notified is not None:
                self._hand_over(listener.connection, notified)
            if notified is None or not 0 <= now - asked < POLL:
                since = int(min(asked, now) - MARGIN)
                decided = listener.connection.execute(DECIDED, {"since": since})
                self._hand_over(listener.connection, decided.scalars().all())
                asked = now

    def _hand_over(self, connection: Connection, login_ids: Iterable[str]) -> None:
        """Wake the waiters of these logins, each with its decision.

        They are woken together, so that no stream of the first statement does what
        follows its answer before those of the second one have theirs.
        """
        with self._lock:
            watches = [one for key in login_ids for one in self._waiting.get(key, ())]
        for start in range(0, len(watches), AT_ONCE):
            some = watches[start : start + AT_ONCE]
            wanted = [watch.login_id for watch in some]
            rows = connection.execute(DECISIONS, {"login_ids": wanted}).all()
            decisions = {row.login_id: DecidedLogin(*row) for row in rows}
            for watch in some:
                watch.decided = decisions.get(watch.login_id)
            time.sleep(0)
        _wake(watches)

    def _is_over(self) -> bool:
        """Tell whether no waiter is left, or another watcher has taken over."""
        with self._lock:
            if self._watcher is not threading.current_thread():
                return True
            if self._waiting:
                return False
            self._watcher = None  # the next waiter starts another
            return True


class _Watch:
    """A registered waiter. There may be thousands, so it has slots."""

    __slots__ = ("_events", "decided", "login_id", "wake")

    def __init__(
        self, events: SqlNativeLoginEvents, login_id: str, wake: Callable[[], None]
    ) -> None:
        self._events = events
        self.login_id = login_id
        self.wake = wake
        self.decided: DecidedLogin | None = None

    def __enter__(self) -> Self:
        self._events.enter(self)
        return self

    def __exit__(self, *_error: object) -> None:
        self._events.leave(self)


def _wake(watches: Collection[_Watch]) -> None:
    for watch in watches:
        try:
            watch.wake()
        except Exception:  # the other waiters are still to be woken
            log.exception("a waiter of a native login could not be woken")
