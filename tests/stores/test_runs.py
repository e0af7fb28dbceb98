"""When the work of a timer last ended."""

from __future__ import annotations

import pytest

from app.stores.runs import SqlRuns


@pytest.fixture
def runs(database):
    return SqlRuns(database)


def test_last_without_a_run_is_none(runs):
    assert runs.last("backup") is None


def test_last_is_the_time_of_the_newest_run_of_that_name(runs):
    runs.note("sweep", 10)
    runs.note("sweep", 20)
    runs.note("backup", 15)

    assert (runs.last("sweep"), runs.last("backup")) == (20, 15)
