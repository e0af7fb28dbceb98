"""Changes of native logins: one watcher a process wakes whoever awaits one.

However many streams are open, the database is asked once: SQLite whether anybody has
committed, PostgreSQL tells by itself. The watcher begins with the first waiter and ends
with the last, so nothing runs before a fork or without need. It is a thread, which
gevent makes a greenlet; `wake` is called on it.

No wake-up is lost: whoever is registered before looking hears of every commit that the
look did not see, and whenever the watcher (again) begins to listen, everybody is woken.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from app.flows.errors import StorageFailed

from .native_logins import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from app.flows.ports import NativeChanges

    from .database import Database, Listener

    Wake = Callable[[], None]

log = logging.getLogger(__name__)

POLL: Final = 5.0
"""Seconds after which the table is asked even in silence: what told us may be gone."""

MARGIN: Final = 60.0
"""Seconds by which a commit may follow its `decided_at`, or a node's clock be off."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0

DECIDED = text("SELECT login_id FROM native_logins WHERE decided_at >= :since")


class SqlNativeChanges:
    """Wakes those who await a native login when it is decided, on whatever node."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Wake]] = {}
        self._watcher: threading.Thread | None = None

    def watch(self, login_id: str, wake: Wake) -> AbstractContextManager[None]:
        """Call `wake` whenever the login may have changed, until the block ends.

        Never waits, not even for the database. Look once after entering.
        """
        return _Watch(self, login_id, wake)

    def enter(self, login_id: str, wake: Wake) -> None:
        """Register somebody who waits; what `watch` is made of, as is `leave`."""
        with self._lock:
            self._waiting.setdefault(login_id, []).append(wake)
            self._begin()

    def leave(self, login_id: str, wake: Wake) -> None:
        """Forget somebody who waits no more."""
        with self._lock:
            those = self._waiting[login_id]
            those.remove(wake)
            if not those:
                del self._waiting[login_id]

    def wake_all(self) -> None:
        """Wake everybody: something may have changed for each of them."""
        with self._lock:
            wakes = [wake for those in self._waiting.values() for wake in those]
        _call(wakes)

    def _begin(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(
                target=self._run, name="native-changes", daemon=True
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
            except Exception:  # whatever it is, people wait for this thread
                log.exception("native logins are not watched")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _follow(self, listener: Listener) -> None:
        asked = self._clock()
        self.wake_all()  # what was decided before somebody listened
        while not self._is_over():
            told = listener.wait()
            now = self._clock()
            if told is not None:
                self._wake(told)
            if told is None or not 0 <= now - asked < POLL:
                since = int(min(asked, now) - MARGIN)
                decided = listener.connection.execute(DECIDED, {"since": since})
                self._wake(decided.scalars().all())
                asked = now

    def _is_over(self) -> bool:
        """Whether nobody waits any more, or another watcher has taken over."""
        with self._lock:
            if self._watcher is not threading.current_thread():
                return True
            if self._waiting:
                return False
            self._watcher = None  # the next waiter begins another
            return True


class _Watch:
    """Somebody who waits; of these there may be thousands, so they are small."""

    __slots__ = ("_changes", "_login_id", "_wake")

    def __init__(self, changes: SqlNativeChanges, login_id: str, wake: Wake) -> None:
        self._changes = changes
        self._login_id = login_id
        self._wake = wake

    def __enter__(self) -> None:
        self._changes.enter(self._login_id, self._wake)

    def __exit__(self, *_error: object) -> None:
        self._changes.leave(self._login_id, self._wake)


def _call(wakes: Collection[Wake]) -> None:
    for wake in wakes:
        try:
            wake()
        except Exception:  # one waiter's trouble is not the others'
            log.exception("somebody who awaits a native login could not be woken")


if TYPE_CHECKING:

    def _fits(changes: SqlNativeChanges) -> NativeChanges:
        return changes
