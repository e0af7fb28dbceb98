"""The application as it would be without a watcher: every stream asks for itself."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import gevent

from app.web.context import EXTENSION
from wsgi import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INTERVAL = 0.25


class Poll:
    """Wakes each stream four times a second, so that it asks the database."""

    decided = None

    @contextmanager
    def watch(self, _login_id: str, wake: Callable[[], None]) -> Iterator[Poll]:
        poller = gevent.spawn(_repeat, wake)
        try:
            yield self
        finally:
            poller.kill(block=False)

    def wake_all(self) -> None:
        """Do nothing: each stream looks four times a second."""


def _repeat(wake: Callable[[], None]) -> None:
    while True:
        time.sleep(INTERVAL)
        wake()


context = app.extensions[EXTENSION]
polling = replace(context.flows.await_native, events=Poll())
app.extensions[EXTENSION] = replace(
    context, flows=replace(context.flows, await_native=polling)
)
