"""The cache in memory: limits in bytes and entries, and expired entries."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.atproto.stores.memory import HEAP_SLACK, MAX_CACHE_BYTES, MemoryCache
from tests.fakes.clock import FakeClock


def test_cache_over_its_bytes_drops_the_least_recently_used_entry():
    cache: MemoryCache[str] = MemoryCache(FakeClock(), max_bytes=50_000)
    for key in "abcd":
        cache.put(key, "x" * 10_000, lifetime=60)
    cache.get("a")

    cache.put("e", "x" * 10_000, lifetime=60)

    assert [key for key in "abcde" if cache.get(key)] == ["a", "c", "d", "e"]


def test_value_larger_than_the_cache_is_not_stored_and_replaces_the_old_one():
    cache: MemoryCache[str] = MemoryCache(FakeClock(), max_bytes=50_000)
    cache.put("a", "small", lifetime=60)
    cache.put("b", "other", lifetime=60)

    cache.put("a", "x" * 60_000, lifetime=60)

    assert (cache.get("a"), cache.get("b")) == (None, "other")


def test_expired_entries_are_removed_by_the_next_put():
    clock = FakeClock()
    cache: MemoryCache[str] = MemoryCache(clock)
    for number in range(100):
        cache.put(f"host{number}", "x" * 1_000, lifetime=5)
    cache.put("host7", "renewed", lifetime=60)
    clock.advance(6)

    cache.put("new", "value", lifetime=5)

    assert set(cache._entries) == {"host7", "new"}


def test_entries_that_are_renewed_for_ever_leave_no_trace():
    cache: MemoryCache[str] = MemoryCache(FakeClock())

    for number in range(5_000):
        cache.put("nonce", str(number), lifetime=300)

    assert len(cache._expiries) < 1_100
    assert cache.get("nonce") == "4999"


def test_full_cache_of_large_documents_keeps_to_its_bytes():
    cache: MemoryCache[str] = MemoryCache(FakeClock())
    tracemalloc.start()
    for number in range(1_000):  # as 300 logins with 100 KB of metadata each
        cache.put(f"host{number}", chr(97 + number % 26) * 100_000, lifetime=600)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert used < 1.1 * MAX_CACHE_BYTES


@contextmanager
def at_each_step(act: Callable[[], object]) -> Iterator[None]:
    """Act at every instruction of the calls in the block, as another thread may."""

    def trace(frame: Any, _event: str, _argument: object) -> Any:
        frame.f_trace_opcodes = True
        act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_full_cache_takes_an_entry_while_another_thread_reads():
    cache: MemoryCache[str] = MemoryCache(FakeClock(), max_entries=2)
    for key in "ab":
        cache.put(key, key, lifetime=60)

    with at_each_step(lambda: [cache.get(key) for key in "ab"]):
        cache.put("c", "c", lifetime=60)

    assert len([key for key in "abc" if cache.get(key)]) == 2


def test_list_of_expiries_is_made_anew_while_another_thread_reads():
    cache: MemoryCache[str] = MemoryCache(FakeClock())
    for key in "abc":
        cache.put(key, key, lifetime=60)
    for _ in range(HEAP_SLACK):
        cache.put("a", "a", lifetime=60)

    with at_each_step(lambda: [cache.get(key) for key in "bc"]):
        for _ in range(10):
            cache.put("a", "a", lifetime=60)

    assert [cache.get(key) for key in "abc"] == ["a", "b", "c"]
