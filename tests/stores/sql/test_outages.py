"""PostgreSQL that is stopped in mid-work: an outage, in seconds and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.flows.errors import StorageUnavailable
from app.stores.sql.bounded import BoundedConnection
from tests.stores.cluster import stopped
from tests.stores.entries import add, keys

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.process


def test_stopped_server_is_an_outage_and_works_again_afterwards(
    postgres_database, postgres_url, monkeypatch
):
    monkeypatch.setattr(BoundedConnection, "wait_limit", 0.5)
    add(postgres_database, "before")

    with stopped(postgres_url):
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                keys(postgres_database)

    monkeypatch.undo()
    assert keys(postgres_database) == {"before"}


def test_server_that_stops_in_a_transaction_is_an_outage(
    postgres_database, postgres_url, monkeypatch
):
    monkeypatch.setattr(BoundedConnection, "wait_limit", 0.5)
    with (
        pytest.raises(StorageUnavailable, match="gave no answer") as failed,
        postgres_database.write() as connection,
        stopped(postgres_url),
    ):
        connection.exec_driver_sql("SELECT 1")

    assert failed.value.rolled_back is False  # it may have stopped after a commit
    monkeypatch.undo()
    assert keys(postgres_database) == set()
