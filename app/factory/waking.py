"""The plainest way to hear of a decision: look again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERVAL = 0.25


class Poll:
    """Wakes a waiter four times a second."""

    @contextmanager
    def watch(self, login_id: str, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` until the block ends; `login_id` makes no difference."""
        over = threading.Event()
        name = f"native-{login_id[:8]}"
        threading.Thread(target=_repeat, args=(wake, over), name=name).start()
        try:
            yield
        finally:
            over.set()


def _repeat(wake: Callable[[], None], over: threading.Event) -> None:
    while not over.wait(INTERVAL):
        wake()
