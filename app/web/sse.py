"""Server-Sent Events and long polling for one request that awaits a native login.

It reads the login, sleeps until woken, and reads again. A streamed body outlives its
request, so this needs nothing of Flask. The app may reconnect after any end: reading
consumes nothing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from threading import Event
from typing import Final

from app.flows.errors import FlowError
from app.flows.native.outcome import NativeOutcome
from app.flows.native.wait import AwaitNativeLogin
from app.flows.ports import Watched
from app.tokens.errors import TokenError

log = logging.getLogger(__name__)

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment shows that both ends are still there."""

RETRY: Final = b"retry: 2000\n\n"
"""Milliseconds until a client reconnects: the stream was cut, not the login."""

COMMENT: Final = b": heartbeat\n\n"


class Awaiting:
    """Waits in one thread (or greenlet) for what another one wakes it for."""

    __slots__ = ("_flow", "_session_id", "_verifier", "_woken")

    def __init__(
        self, flow: AwaitNativeLogin, session_id: str, *, code_verifier: str | None
    ) -> None:
        self._flow = flow
        self._session_id = session_id
        self._verifier = code_verifier
        self._woken = Event()

    def wake(self) -> None:
        """Let it look again; from any thread."""
        self._woken.set()

    def poll(self, address: str, *, seconds: float) -> NativeOutcome:
        """Return the answer, or what is known after so many seconds."""
        with self._flow.admit(address), self._watch() as watched:
            outcome = self._look()
            end = time.monotonic() + seconds
            while outcome.status == "pending" and not self._is_ending():
                remaining = end - time.monotonic()
                if remaining <= 0:
                    break
                self._sleep(outcome, remaining)
                outcome = self._look_again(watched)
            return outcome

    def events(self, address: str, *, heartbeat: float) -> Iterator[bytes]:
        """Yield b"", `pending`, comments and one answer (HTML section 9.2.6), then end.

        The first item is empty and comes once the stream has its place and the login
        is found: a refusal is raised there, before any status is sent. The place is
        given back when the iterator ends or is closed.

        It ends without an answer only where the client should reconnect: when this
        process stops, and when the login cannot be read.
        """
        with self._flow.admit(address), self._watch() as watched:
            outcome = self._look()
            yield b""
            yield RETRY + _event(outcome)
            # Before the first sleep too: a stopping process has woken its streams.
            while outcome.status == "pending" and not self._is_ending():
                was_woken = self._sleep(outcome, heartbeat)
                if self._is_ending():
                    return
                try:
                    outcome = self._look_again(watched)
                except (FlowError, TokenError) as error:
                    log.warning("an await is cut, its app comes back: %s", error)
                    return
                if outcome.status != "pending":
                    yield _event(outcome)
                    # Under gevent: of streams that are woken together all send their
                    # answers, before the first one writes its line of the log.
                    time.sleep(0)
                elif not was_woken:
                    yield COMMENT

    def _is_ending(self) -> bool:
        return self._flow.is_ending

    def _watch(self) -> AbstractContextManager[Watched]:
        return self._flow.watch(self._session_id, self.wake)

    def _look_again(self, watched: Watched) -> NativeOutcome:
        return self._flow.look_again(
            watched, self._session_id, code_verifier=self._verifier
        )

    def _look(self) -> NativeOutcome:
        return self._flow.look(self._session_id, code_verifier=self._verifier)

    def _sleep(self, outcome: NativeOutcome, most: float) -> bool:
        """Sleep until woken, and never past the login's end."""
        left = outcome.expires_in
        was_woken = self._woken.wait(most if left is None else min(most, left))
        self._woken.clear()
        return was_woken


def _event(outcome: NativeOutcome) -> bytes:
    document = json.dumps(outcome.document(), separators=(",", ":"))
    word = outcome.status
    return f"id: {word}\nevent: {word}\ndata: {document}\n\n".encode()
