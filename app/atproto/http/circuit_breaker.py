"""Which hosts are left alone for a moment, because they failed again and again.

One failure never blocks the next try. The third in a row does, for half a minute at
most; then a single request goes through to find out, while the others still wait. So a
dead host costs its users a quick answer instead of a slow one, and keeps no worker.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from ..errors import HostResting

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    rests_until: float = 0.0


class Breaker:
    """Counts failures in a row per host; safe to share between threads.

    Only hosts in trouble are remembered, and of those the latest `max_hosts`.
    """

    def __init__(
        self,
        *,
        threshold: int = 3,
        rest: float = 30.0,
        max_hosts: int = 1024,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._rest = rest
        self._max_hosts = max_hosts
        self._monotonic = monotonic
        self._troubles: OrderedDict[str, _Trouble] = OrderedDict()
        self._lock = Lock()

    def admit(self, host: str) -> None:
        """Let a request to this host begin.

        Whoever comes first after the rest is let through to find out; that alone makes
        the others wait anew, so a probe that never reports blocks nothing for good.

        Raises:
            HostResting: the host failed too often just now.
        """
        with self._lock:
            trouble = self._troubles.get(host)
            if trouble is None or trouble.failures < self._threshold:
                return
            now = self._monotonic()
            if now < trouble.rests_until:
                raise HostResting(host, trouble.rests_until - now)
            trouble.rests_until = now + self._rest

    def failed(self, host: str) -> None:
        """Count a failure: no connection, no answer in time, or a 5xx if one likes."""
        with self._lock:
            trouble = self._troubles.setdefault(host, _Trouble())
            self._troubles.move_to_end(host)
            trouble.failures += 1
            if trouble.failures == self._threshold:  # stragglers do not prolong it
                trouble.rests_until = self._monotonic() + self._rest
            if len(self._troubles) > self._max_hosts:
                self._troubles.popitem(last=False)

    def succeeded(self, host: str) -> None:
        """Forget the failures of a host that answered."""
        with self._lock:
            self._troubles.pop(host, None)
