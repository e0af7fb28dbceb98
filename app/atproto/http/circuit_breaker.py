"""A circuit breaker per host: a failing host is not asked again for a while.

One failure never blocks the next request. The third in a row blocks all requests to the
host for 30 seconds; then one request is let through as a probe, while the others keep
failing at once. So a dead host costs a fast error and does not occupy workers.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from ..errors import HostCircuitOpen


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float = 0.0


class Breaker:
    """Counts failures in a row per host; safe to share between threads.

    Only failing hosts are remembered, and of those the latest `max_hosts`.
    """

    def __init__(
        self,
        *,
        threshold: int = 3,
        open_seconds: float = 30.0,
        max_hosts: int = 1024,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._open_seconds = open_seconds
        self._max_hosts = max_hosts
        self._monotonic = monotonic
        self._hosts: OrderedDict[str, _Circuit] = OrderedDict()
        self._lock = Lock()

    def admit(self, host: str) -> None:
        """Let a request to this host begin.

        The first request after the open time is let through as a probe, which also
        opens the circuit for the others again: a probe that never reports its outcome
        blocks the host no longer than one more open time.

        Raises:
            HostCircuitOpen: the host failed too often in a row.
        """
        with self._lock:
            circuit = self._hosts.get(host)
            if circuit is None or circuit.failures < self._threshold:
                return
            now = self._monotonic()
            if now < circuit.open_until:
                raise HostCircuitOpen(host, circuit.open_until - now)
            circuit.open_until = now + self._open_seconds

    def failed(self, host: str) -> None:
        """Count a failure: no connection, or no complete answer in time."""
        with self._lock:
            circuit = self._hosts.setdefault(host, _Circuit())
            self._hosts.move_to_end(host)
            circuit.failures += 1
            if circuit.failures == self._threshold:  # later ones prolong nothing
                circuit.open_until = self._monotonic() + self._open_seconds
            if len(self._hosts) > self._max_hosts:
                self._hosts.popitem(last=False)

    def succeeded(self, host: str) -> None:
        """Forget the failures of a host that answered."""
        with self._lock:
            self._hosts.pop(host, None)
