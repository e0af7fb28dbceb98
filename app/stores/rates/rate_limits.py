"""Rate limits: counted for all processes of this host, or for all nodes.

A sliding window: no double burst where two windows meet, and two counters for each key
instead of a list of calls, so that many addresses take little memory. `memory://` is a
table of PostgreSQL (`database_counters.py`), or a file beside SQLite
(`host_counters.py`); everything else is Redis, through the package `limits`.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from limits import RateLimitItemPerSecond, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from app.flows.errors import StorageFailed, TooManyRequests
from app.flows.ports import LimitKind, RateLimit
from app.stores.outage_log import OutageLog
from app.stores.rates.sliding_window import Counted

log = logging.getLogger(__name__)

STORAGE_TIMEOUT: Final = 1.0

LEAST: Final = 2
"""The smallest share of a limit: one login may ask one host twice."""


class Counters(Protocol):
    """Where calls are counted."""

    def hit(self, *counted: Counted) -> float | None:
        """Count one call under each name; None, or the seconds to wait.

        The names after the first one whose limit is reached are not counted.
        """


class LimitsCounters:
    """Counters of the package `limits`; opened at the first call, after any fork."""

    def __init__(self, uri: str | None, clock: Callable[[], float]) -> None:
        """Count at this storage, or in this process alone for None."""
        self._uri = uri
        self._clock = clock
        self._limiter: SlidingWindowCounterRateLimiter | None = None

    def hit(self, *counted: Counted) -> float | None:
        """Count one call. Raises `StorageError` when the storage does not answer."""
        if self._limiter is None:
            self._limiter = self._open()
        for name, most, seconds in counted:
            rate = RateLimitItemPerSecond(most, seconds)
            if not self._limiter.hit(rate, name):
                window = self._limiter.get_window_stats(rate, name)
                return window.reset_time - self._clock()
        return None

    def ping(self) -> None:
        """Raise an error of the storage when it does not answer."""
        if self._limiter is None:
            self._limiter = self._open()
        if not self._limiter.storage.check():
            raise StorageError(ConnectionError("no answer"))

    def _open(self) -> SlidingWindowCounterRateLimiter:
        if self._uri is None:
            return SlidingWindowCounterRateLimiter(MemoryStorage())
        storage = storage_from_string(
            self._uri,
            wrap_exceptions=True,
            socket_timeout=STORAGE_TIMEOUT,
            socket_connect_timeout=STORAGE_TIMEOUT,
        )
        return SlidingWindowCounterRateLimiter(storage)


class RateLimits(RateLimit):
    """Counts calls by kind and key.

    While the shared counters do not answer, this process counts alone: a looser limit
    is better than a failed sign-in.
    """

    def __init__(
        self,
        shared: Counters,
        rates: Mapping[LimitKind, str],
        clock: Callable[[], float],
    ) -> None:
        parsed = {kind: parse(rate) for kind, rate in rates.items()}
        self._rates = {
            kind: (rate.amount, rate.get_expiry()) for kind, rate in parsed.items()
        }
        self._shared = shared
        self._own = LimitsCounters(None, clock)
        self._sharing = OutageLog(log, "rate limits are not shared")

    def hit(self, kind: LimitKind, key: str, *, times: float = 1) -> None:
        """Count one call; `times` multiplies the limit.

        Raises:
            TooManyRequests: the limit is reached, for `retry_after` seconds.
        """
        self.hit_all(kind, [(key, times)])

    def hit_all(self, kind: LimitKind, counted: Sequence[tuple[str, float]]) -> None:
        """Count one call under several keys, until one of their limits is reached.

        Raises:
            TooManyRequests: it is reached, for `retry_after` seconds.
        """
        asked = [self._counted(kind, key, times) for key, times in counted]
        try:
            wait = self._shared.hit(*asked)
        except (StorageError, StorageFailed, sqlite3.Error, OSError) as error:
            cause = error.storage_error if isinstance(error, StorageError) else error
            # The text of another server's error might name a URL with its password.
            reason = f": {error}" if isinstance(error, OSError) else ""
            self._sharing.failed(type(cause).__name__ + reason)
            wait = self._own.hit(*asked)
        else:
            self._sharing.worked()
        if wait is not None:
            raise TooManyRequests(kind, retry_after=max(1, math.ceil(wait)))

    def _counted(self, kind: LimitKind, key: str, times: float) -> Counted:
        amount, seconds = self._rates[kind]
        most = amount if times == 1 else max(LEAST, int(amount * times))
        return f"{kind} {key}", most, seconds
