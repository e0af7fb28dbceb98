"""A wire between an app and the service that a test can cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select
from typing import Self

WITHIN = 60.0
CHUNK = 65_536


class Wire:
    """Carries bytes from a port of its own to wherever `connect` leads."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._listen)
        self._changed = threading.Condition()
        self._open: dict[socket.socket, socket.socket] = {}
        self._is_cut = False
        self.asked = 0
        """How many connections have carried a request."""
        self.answered = 0
        """How many connections have carried an answer."""

    @property
    def port(self) -> int:
        """Where it begins."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(WITHIN)
        self._listener.close()
        self._hang_up()
        with self._changed:
            self._changed.wait_for(lambda: not self._open, WITHIN)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Break every connection, and let none through for the time of a block."""
        self._is_cut = True
        self._hang_up()
        yield
        self._is_cut = False

    def wait_for_requests(self, number: int) -> None:
        """Return when so many connections have carried a request."""
        with self._changed:
            done = self._changed.wait_for(lambda: self.asked >= number, WITHIN)
        if not done:
            raise AssertionError(f"{self.asked} connections, not {number}")

    def _hang_up(self) -> None:
        with self._changed:
            for end in [*self._open, *self._open.values()]:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,)).start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError), self._connect() as far:
            with self._changed:
                if self._is_cut:
                    return
                self._open[near] = far
            try:
                self._carry(near, far)
            finally:
                with self._changed:
                    del self._open[near]
                    self._changed.notify_all()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """Carry bytes both ways until one end has no more."""
        silent = {near, far}
        while True:
            for end in select([near, far], [], [])[0]:
                chunk = end.recv(CHUNK)
                if not chunk:
                    return
                (near if end is far else far).sendall(chunk)
                if end in silent:
                    silent.discard(end)
                    self._count(is_answer=end is far)

    def _count(self, *, is_answer: bool) -> None:
        with self._changed:
            self.answered += is_answer
            self.asked += not is_answer
            self._changed.notify_all()
