"""A TCP socket with one time limit for the whole response (requirement 9.3)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from .limits import (
    NotWanted,
    Pace,
    WireLimitReached,
    current_is_wanted,
    current_wire_limit,
)
from .turns import waiting


class BudgetSocket(socket.socket):
    """A TCP socket whose timeout is a budget for all that follows, not for each wait.

    `settimeout(5)` grants five seconds and the bytes of a response (`http/limits.py`),
    until it is called again. An ordinary timeout begins anew with every byte, so a host
    that sends headers or a TLS handshake byte by byte would never be too slow. urllib3
    sets the timeout once per phase: connecting, sending, and the response from its
    first header to its last byte.
    """

    _ends = 0.0
    _bytes_left = 0
    _pace = Pace()
    _is_wanted: Callable[[], bool] = staticmethod(lambda: True)

    def settimeout(self, value: float | None, /) -> None:
        """Grant so many seconds from now; None grants nothing."""
        self._ends = time.monotonic() + (value or 0.0)
        self._bytes_left = current_wire_limit()
        self._is_wanted = current_is_wanted()
        self._pace = Pace()
        super().settimeout(value)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive within the budget."""
        self._limit_wait()
        with waiting():
            received = super().recv(bufsize, flags)
        self._count(len(received))
        return received

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive within the budget."""
        self._limit_wait()
        with waiting():
            received = super().recv_into(buffer, nbytes, flags)
        self._count(received)
        return received

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send within the budget."""
        self._limit_wait()
        with waiting():
            super().sendall(data, flags)

    def _limit_wait(self) -> None:
        self._require_wanted()
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        super().settimeout(left)

    def _require_wanted(self) -> None:
        if not self._is_wanted():
            raise NotWanted

    def _count(self, received: int) -> None:
        self._require_wanted()
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise WireLimitReached
        self._pace.count(received)
