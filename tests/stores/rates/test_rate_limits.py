from __future__ import annotations

import logging
import time
from typing import ClassVar

import pytest
from limits.errors import StorageError
from limits.storage import Storage
from limits.storage.base import SlidingWindowCounterSupport

from app.flows.errors import TooManyRequests
from app.stores.rates.host_counters import HostCounters
from app.stores.rates.rate_limits import LimitsCounters, RateLimits

RATES = {"address": "3/hour", "host": "1/hour"}


class StorageThatIsDown(Storage, SlidingWindowCounterSupport):
    """A shared storage that is unreachable."""

    STORAGE_SCHEME: ClassVar = ["down"]
    base_exceptions = ConnectionError

    def acquire_sliding_window_entry(self, key, limit, expiry, amount=1):
        raise ConnectionError("secret-of-the-storage-url")

    incr = get = get_expiry = reset = clear = acquire_sliding_window_entry

    def check(self):
        return False

    get_sliding_window = clear_sliding_window = acquire_sliding_window_entry


def limit(storage="memory://"):
    return RateLimits(LimitsCounters(storage, time.time), RATES, time.time)


def test_as_many_tries_as_the_rate_says_pass_and_the_next_is_refused():
    limits = limit()
    for _ in range(3):
        limits.hit("address", "192.0.2.1")

    with pytest.raises(TooManyRequests) as refused:
        limits.hit("address", "192.0.2.1")

    assert refused.value.kind == "address"
    assert 1 <= refused.value.retry_after <= 3600


def test_others_are_not_counted_together():
    limits = limit()
    limits.hit("host", "one.test")
    limits.hit("host", "two.test")
    limits.hit("address", "one.test")

    with pytest.raises(TooManyRequests):
        limits.hit("host", "one.test")


def test_without_the_shared_storage_a_process_counts_on_its_own(caplog):
    limits = limit("down://somewhere")

    with caplog.at_level(logging.WARNING):
        limits.hit("host", "one.test")
    with pytest.raises(TooManyRequests):
        limits.hit("host", "one.test")

    assert "rate limits are not shared" in caplog.text
    assert "secret-of-the-storage-url" not in caplog.text


def test_without_the_file_of_the_host_the_log_says_what_is_wrong(tmp_path, caplog):
    path = tmp_path / "folder.limits"
    path.mkdir()
    limits = RateLimits(HostCounters(path, time.time), {"host": "1/hour"}, time.time)

    with caplog.at_level(logging.WARNING):
        limits.hit("host", "one.test")

    assert "rate limits are not shared: PermissionError: " in caplog.text


def test_ping_of_a_storage_that_is_down_raises():
    with pytest.raises(StorageError):
        LimitsCounters("down://somewhere", time.time).ping()


def test_ping_of_a_storage_that_answers_returns():
    LimitsCounters("memory://", time.time).ping()


def test_ping_of_redis_that_is_down_raises():
    pytest.importorskip("redis")

    with pytest.raises(StorageError):
        LimitsCounters("redis://127.0.0.1:9/0", time.time).ping()
