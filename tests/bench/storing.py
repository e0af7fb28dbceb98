"""What keeping an auth request costs, beside SQLite alone with the same safety."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.stores.encryption import Cipher
from app.stores.logins.auth_requests import PUT, TAKE, SqlStateStore
from app.stores.sql.database import open_database
from tests.stores.samples import auth_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.atproto.records import AuthRequest
    from app.stores.sql.database import Database

CYCLES = 300
REPETITIONS = 15
TARGET = 0.44


def measure_storing(*, cycles: int = CYCLES, repetitions: int = REPETITIONS) -> None:
    """Print how fast an auth request is created and taken."""
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        url = f"sqlite:///{name}/bench.db"
        database = open_database(url)
        database.apply_schema()
        store = SqlStateStore(database, Cipher(bytes(32)), time.time)
        row = store._row_of(_request("state"))
        kinds: dict[str, Callable[[int], None]] = {
            "SQLite alone": _Bare(Path(name) / "bench.db", row).cycle,
            "Database.write alone": _Rows(database, row).cycle,
            "the store: row, seal, keys, statement": _Requests(store).cycle,
        }
        _print(kinds, cycles, repetitions)
        print(f"to reach: {TARGET} of SQLite alone")
        database.close()


class _Bare:
    """Create and take a row as tersely as Python can."""

    def __init__(self, path: Path, row: dict[str, Any]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._row = row
        self._put, self._take = str(PUT), str(TAKE)  # compiled here, once

    def cycle(self, number: int) -> None:
        """Keep one auth request and take it again."""
        state_hash = f"{number:064x}"
        for statement, values in (
            (self._put, {**self._row, "state_hash": state_hash}),
            (self._take, {"state_hash": state_hash}),
        ):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(statement, values).fetchall()
            self._connection.execute("COMMIT")


class _Rows:
    """The same rows and statements by way of `Database.write`."""

    def __init__(self, database: Database, row: dict[str, Any]) -> None:
        self._database = database
        self._row = row

    def cycle(self, number: int) -> None:
        """Keep one auth request and take it again."""
        state_hash = f"{number:064x}"
        with self._database.write() as connection:
            connection.execute(PUT, {**self._row, "state_hash": state_hash})
        with self._database.write() as connection:
            taken = connection.execute(TAKE, {"state_hash": state_hash})
            taken.mappings().one_or_none()


class _Requests:
    """Auth requests as a login keeps and a callback takes them."""

    def __init__(self, store: SqlStateStore) -> None:
        self._store = store

    def cycle(self, number: int) -> None:
        """Keep one auth request and take it again."""
        self._store.put(_request(f"state-{number}"))
        if self._store.take(f"state-{number}") is None:
            raise RuntimeError("an auth request was lost")


def _request(state: str) -> AuthRequest:
    return auth_request(state, expires_at=time.time() + 3600)


def _print(
    kinds: dict[str, Callable[[int], None]], cycles: int, repetitions: int
) -> None:
    """Measure the kinds in turns, so that all of them see the same machine."""
    print(f"\nCreate and take an auth request, {cycles} times, {repetitions} rounds")
    rounds = [
        {name: _rate(cycle, cycles) for name, cycle in kinds.items()}
        for _ in range(repetitions)
    ]
    base = next(iter(kinds))
    for name in kinds:
        rate = statistics.median(one[name] for one in rounds)
        ratios = sorted(one[name] / one[base] for one in rounds)
        print(
            f"{name:<44}{rate:>8.0f}/s{statistics.median(ratios):>8.2f} "
            f"({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )


def _rate(cycle: Callable[[int], None], cycles: int) -> float:
    began = time.perf_counter()
    for number in range(cycles):
        cycle(number)
    return cycles / (time.perf_counter() - began)
