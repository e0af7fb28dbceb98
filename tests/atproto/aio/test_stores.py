"""Asynchronous stores that hang or fail; the contract is in tests/stores."""

from __future__ import annotations

import anyio
import pytest

from app.atproto.aio import workers
from app.atproto.aio.workers import Workers


def test_asynchronous_store_that_hangs_raises_timeout_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "STORE_PATIENCE", 0.01)
    cancelled = anyio.Event()

    async def hangs() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async def job() -> None:
        pool = Workers(threads=1)
        await pool.open()
        with pytest.raises(TimeoutError):
            await pool.run(lambda: pool.wait_for(hangs()))
        await pool.close(lambda: None)

    anyio.run(job)
    assert cancelled.is_set()


def test_error_of_an_asynchronous_store_is_raised_as_it_is() -> None:
    async def fails() -> None:
        raise ConnectionError("the database is away")

    async def job() -> None:
        pool = Workers(threads=1)
        await pool.open()
        with pytest.raises(ConnectionError, match="the database is away"):
            await pool.run(lambda: pool.wait_for(fails()))
        await pool.close(lambda: None)

    anyio.run(job)


def test_store_call_under_way_is_finished_when_the_client_is_cancelled() -> None:
    """Requirement 7.10: it may be the one that writes a new refresh token."""
    written = []

    async def job() -> None:
        pool, begun, database = Workers(threads=1), anyio.Event(), anyio.Event()

        async def writes() -> None:
            begun.set()
            await database.wait()
            written.append("token")

        with anyio.CancelScope() as everything:
            await pool.open()
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(pool.run, lambda: pool.wait_for(writes()))
                    await begun.wait()
                    everything.cancel()
            finally:
                database.set()
                await pool.close(lambda: None)

    anyio.run(job)
    assert written == ["token"]
