"""The databases that every store is tried on, and stores that many tests need."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from app.stores.encryption import Cipher
from app.stores.people.accounts import SqlAccounts
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from app.stores.sql import postgresql as postgresql_dialect
from app.stores.sql.database import Database, open_database
from tests.service import scratch
from tests.stores.cluster import postgresql
from tests.stores.standing import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.clock import FakeClock

SECRET_KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def leases_use_the_fake_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL judges leases by its own clock, which no test can move."""
    monkeypatch.setattr(postgresql_dialect, "NOW", ":now")


@pytest.fixture
def cipher() -> Cipher:
    return Cipher(SECRET_KEY)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the test, in memory where possible: each commit waits for a disk."""
    with scratch(partial(tmp_path_factory.mktemp, "stores")) as folder:
        yield folder


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/latchkey.db"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_standing(postgres_cluster: str) -> Iterator[Standing]:
    with standing(postgres_cluster) as database:
        yield database


@pytest.fixture
def postgres_url(postgres_standing: Standing, request: pytest.FixtureRequest) -> str:
    """A database without tables, unless the test has it with tables as well."""
    names = request.fixturenames
    is_the_one = "database" in names and request.getfixturevalue("backend") != "sqlite"
    if not (is_the_one or "postgres_database" in names):
        postgres_standing.without_tables()
    return postgres_standing.url


@pytest.fixture
def sqlite_database(
    sqlite_url: str, sqlite_file: Path, tmp_path: Path
) -> Iterator[Database]:
    shutil.copy(sqlite_file, tmp_path / "latchkey.db")
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables, made once."""
    path = tmp_path_factory.mktemp("schema") / "latchkey.db"
    made = open_database(f"sqlite:///{path}")
    made.apply_schema()
    made.close()
    return path


@pytest.fixture
def postgres_database(postgres_standing: Standing) -> Iterator[Database]:
    postgres_standing.with_tables()
    opened = open_database(postgres_standing.url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.process)])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database; a test that asks for it runs once with each."""
    return request.param


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str:
    """A database without tables."""
    return request.getfixturevalue(f"{backend}_url")


@pytest.fixture
def database(backend: str, request: pytest.FixtureRequest) -> Database:
    """A database with all tables and nothing in them."""
    return request.getfixturevalue(f"{backend}_database")


@pytest.fixture
def users(database: Database) -> SqlUsers:
    return SqlUsers(database)


@pytest.fixture
def accounts(database: Database) -> SqlAccounts:
    return SqlAccounts(database)


@pytest.fixture
def sessions(database: Database, clock: FakeClock) -> SqlSessions:
    return SqlSessions(database, clock)
