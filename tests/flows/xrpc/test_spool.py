"""Spool: the budget of all files, and files that slow readers keep."""

from __future__ import annotations

import pytest

from app.flows.errors import ServiceBusy
from app.flows.xrpc.spool import PATIENCE, SLOWEST_READER, Spool

BUDGET = 10 * SLOWEST_READER


@pytest.fixture
def spool(clock):
    spool = Spool(BUDGET, clock=clock)
    yield spool
    for file in list(spool._files):
        file.close()


def filled(spool, size=BUDGET):
    file = spool.open()
    file.write(b"x" * size)
    file.seek(0)
    return file


def test_write_beyond_the_budget_raises_service_busy(spool):
    filled(spool)

    with pytest.raises(ServiceBusy), spool.open() as file:
        file.write(b"x")


def test_close_gives_the_bytes_back_once(spool):
    file = filled(spool)

    file.close()
    file.close()

    assert spool.used == 0


def test_file_of_a_slow_reader_is_taken_away_when_room_is_needed(spool, clock):
    slow = filled(spool)
    clock.advance(PATIENCE + BUDGET / SLOWEST_READER + 1)

    assert slow.read(5) == b"xxxxx"
    assert filled(spool).read(5) == b"xxxxx"

    with pytest.raises(ServiceBusy):
        slow.read(5)
    assert spool.used == BUDGET


def test_file_that_is_not_overdue_is_kept(spool, clock):
    file = filled(spool)
    clock.advance(PATIENCE + BUDGET / SLOWEST_READER - 1)

    with pytest.raises(ServiceBusy):
        filled(spool, 1)

    assert file.read(5) == b"xxxxx"
