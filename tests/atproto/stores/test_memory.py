"""The cache in memory: limits in bytes and entries, and expired entries."""

from __future__ import annotations

import tracemalloc

from app.atproto.stores.memory import MAX_CACHE_BYTES, MemoryCache
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
