"""A psycopg connection that waits for its server for a limited time.

`statement_timeout` is the server's own: one that is stopped, or whose machine hangs,
keeps a client waiting for ever, because its kernel still acknowledges every packet.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final

from psycopg import Connection, OperationalError

WAIT_LIMIT: Final = 7.0
"""Seconds for an answer; longer than `statement_timeout`, which says more."""


class BoundedConnection(Connection[Any]):
    """A connection that is closed when the server does not answer in `wait_limit`."""

    wait_limit: float | None = WAIT_LIMIT

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait as psycopg does; raise OperationalError after `wait_limit` seconds."""
        if self.wait_limit is None:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_bounded(gen, self.wait_limit), *args, **options)
        except _NoAnswer:
            self.pgconn.finish()  # its state is unknown
            message = f"the server gave no answer in {self.wait_limit:.0f} s"
            raise OperationalError(message) from None


class _NoAnswer(Exception):
    """The limit has passed."""


def _bounded(gen: Any, limit: float) -> Generator[Any, Any, Any]:
    """Yield what `gen` waits for; psycopg resumes it every tenth of a second."""
    ends = time.monotonic() + limit
    try:
        state = next(gen)
        while True:
            ready = yield state
            if not ready and time.monotonic() >= ends:
                raise _NoAnswer
            state = gen.send(ready)
    except StopIteration as done:
        return done.value
