"""Native login events: a watcher thread wakes the requests that wait for a decision.

One watcher a process, however many streams are open: on SQLite it looks whether a
commit happened, on PostgreSQL it LISTENs. It starts with the first waiter and stops
with the last, so nothing runs before a fork. Under gevent the thread is a greenlet;
`wake` is called on it.

No wake-up is lost: a waiter registers before it looks, and the watcher wakes all of
them each time it begins to listen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import text

from app.flows.errors import StorageFailed
from app.flows.ports import NativeLoginEvents
from app.stores.sql.database import Database, Listener

from .native_logins import CHANNEL

Wake = Callable[[], None]

log = logging.getLogger(__name__)

POLL: Final = 5.0
"""Seconds after which the table is read without a notification: one may be lost."""

MARGIN: Final = 60.0
"""Seconds by which a commit may be later than its `decided_at`, or a clock wrong."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0

DECIDED = text("SELECT login_id FROM native_logins WHERE decided_at >= :since")


class SqlNativeLoginEvents(NativeLoginEvents):
    """Wakes the waiters of a native login when any node has decided it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Wake]] = {}
        self._watcher: threading.Thread | None = None

    def watch(self, login_id: str, wake: Wake) -> AbstractContextManager[None]:
        """Call `wake` when the login may have changed, until the block ends.

        Does not wait for the database. Read the login once after entering.
        """
        return _Watch(self, login_id, wake)

    def enter(self, login_id: str, wake: Wake) -> None:
        """Register a waiter; the context manager of `watch` calls it, and `leave`."""
        with self._lock:
            self._waiting.setdefault(login_id, []).append(wake)
            self._begin()

    def leave(self, login_id: str, wake: Wake) -> None:
        """Remove a waiter."""
        with self._lock:
            wakes = self._waiting[login_id]
            wakes.remove(wake)
            if not wakes:
                del self._waiting[login_id]

    def wake_all(self) -> None:
        with self._lock:
            wakes = [wake for wakes in self._waiting.values() for wake in wakes]
        _call(wakes)

    def _begin(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(
                target=self._run, name="native-login-events", daemon=True
            )
            self._watcher.start()

    def _wake(self, login_ids: Collection[str]) -> None:
        with self._lock:
            wakes = [wake for one in login_ids for wake in self._waiting.get(one, ())]
        _call(wakes)

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
                self._wake(notified)
            if notified is None or not 0 <= now - asked < POLL:
                since = int(min(asked, now) - MARGIN)
                decided = listener.connection.execute(DECIDED, {"since": since})
                self._wake(decided.scalars().all())
                asked = now

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

    __slots__ = ("_events", "_login_id", "_wake")

    def __init__(self, events: SqlNativeLoginEvents, login_id: str, wake: Wake) -> None:
        self._events = events
        self._login_id = login_id
        self._wake = wake

    def __enter__(self) -> None:
        self._events.enter(self._login_id, self._wake)

    def __exit__(self, *_error: object) -> None:
        self._events.leave(self._login_id, self._wake)


def _call(wakes: Collection[Wake]) -> None:
    for wake in wakes:
        try:
            wake()
        except Exception:  # the other waiters are still to be woken
            log.exception("a waiter of a native login could not be woken")
