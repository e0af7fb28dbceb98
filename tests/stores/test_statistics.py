from __future__ import annotations

import pytest

from app.stores.keys import SqlSigningKeys
from app.stores.people.sessions import SqlSessions
from app.stores.runs import SqlRuns
from app.stores.statistics import SqlStatistics
from tests.stores.samples import session
from tests.stores.test_keys import add, stored

DAY = 86_400


@pytest.fixture
def statistics(database, clock):
    return SqlStatistics(database, clock)


def test_empty_tables_have_no_rows(statistics):
    rows = statistics.table_rows()

    assert rows["users"] == rows["sessions"] == rows["audit_events"] == 0
    assert statistics.key_ages() == {}
    assert statistics.last_runs() == {}


def test_live_sessions_are_counted_by_holder(statistics, database, clock):
    sessions = SqlSessions(database, clock)
    later = clock() + DAY
    for sid, app_name, expires_at in (
        ("one", None, later),
        ("two", None, later),
        ("app", "Sketch", later),
        ("over", None, clock() - 1),
        ("ended", None, later),
    ):
        made = session(sid=sid, app_name=app_name, expires_at=expires_at)
        sessions.add(made, secret=f"secret of {sid}")
    sessions.end("ended", clock())

    assert statistics.live_sessions() == {"browser": 2, "app": 1}
    assert statistics.table_rows()["sessions"] == 5


def test_age_is_that_of_the_oldest_key_of_a_status(statistics, database, cipher, clock):
    add(
        SqlSigningKeys(database, cipher),
        stored("old", status="retired", created_at=clock() - 3 * DAY),
        stored("older", status="retired", created_at=clock() - 4 * DAY),
        stored("new", created_at=clock() - DAY),
    )

    assert statistics.key_ages() == {
        ("platform", "active"): DAY,
        ("platform", "retired"): 4 * DAY,
    }


def test_last_run_of_each_name_is_told(statistics, database):
    runs = SqlRuns(database)
    runs.note("sweep", 1000.0)
    runs.note("sweep", 2000.0)
    runs.note("backup", 1500.0)

    assert statistics.last_runs() == {"sweep": 2000, "backup": 1500}


def test_pool_tells_how_many_connections_are_in_use(database):
    seen: list[int] = []
    database.watch_pool(seen.append)

    with database.read(), database.read():
        pass
    with database.listen("native_logins"):
        pass
    with database.write():
        pass

    assert seen[:4] == [1, 2, 1, 0]
    assert seen[-1] == 0
