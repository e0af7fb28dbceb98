"""Rate limits, counted by the package `limits` in memory or in Redis.

A sliding window: no double burst where two windows meet, and two counters for each key
instead of a list of calls, so that many addresses take little memory.
"""

from __future__ import annotations

import logging
import math
from functools import cached_property
from typing import TYPE_CHECKING, Final

from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from app.flows.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.flows.ports import LimitKind, RateLimit

log = logging.getLogger(__name__)

STORAGE_TIMEOUT: Final = 1.0


class LimitsRateLimit:
    """Counts calls by kind and key.

    While the shared storage does not answer, this process counts alone: a looser limit
    is better than a failed sign-in.
    """

    def __init__(
        self,
        storage: str,
        rates: Mapping[LimitKind, str],
        clock: Callable[[], float],
    ) -> None:
        self._rates = {kind: parse(rate) for kind, rate in rates.items()}
        self._clock = clock
        self._storage = storage

    # Both are made by the first call, in the worker: a memory storage starts a timer,
    # which does not survive a fork.

    @cached_property
    def _own(self) -> SlidingWindowCounterRateLimiter:
        return SlidingWindowCounterRateLimiter(MemoryStorage())

    @cached_property
    def _shared(self) -> SlidingWindowCounterRateLimiter:
        storage = storage_from_string(
            self._storage,
            wrap_exceptions=True,
            socket_timeout=STORAGE_TIMEOUT,
            socket_connect_timeout=STORAGE_TIMEOUT,
        )
        return SlidingWindowCounterRateLimiter(storage)

    def hit(self, kind: LimitKind, key: str) -> None:
        """Count one call.

        Raises:
            TooManyRequests: the limit is reached, for `retry_after` seconds.
        """
        try:
            self._hit(self._shared, kind, key)
        except StorageError as error:
            log.warning("rate limits are not shared: %s", type(error.storage_error))
            self._hit(self._own, kind, key)

    def _hit(
        self, limiter: SlidingWindowCounterRateLimiter, kind: LimitKind, key: str
    ) -> None:
        rate = self._rates[kind]
        if limiter.hit(rate, kind, key):
            return
        wait = limiter.get_window_stats(rate, kind, key).reset_time - self._clock()
        raise TooManyRequests(kind, retry_after=max(1, math.ceil(wait)))


if TYPE_CHECKING:

    def _fits(limit: LimitsRateLimit) -> RateLimit:
        return limit
