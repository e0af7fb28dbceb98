"""The PostgreSQL database of all tests: its tables stay, and each test finds no rows.

Making the tables takes longer than most tests of a store.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.stores.sql.database import open_database
from app.stores.sql.versions import CURRENT, OLDEST, STAMP, SUPPORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.stores.sql.database import Database

# All that a test can change besides rows: tables, columns, indexes, constraints, views,
# sequences, triggers, functions and types.
SHAPE = text("""
    WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname = 'public')
    SELECT md5(string_agg(part, '|' ORDER BY part)) FROM (
        SELECT concat_ws(' ', c.oid, c.relkind, c.relname, a.attname, a.atttypid,
                         a.attnotnull, a.atthasdef, a.attisdropped) AS part
        FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace IN (SELECT oid FROM ours)
        UNION ALL
        SELECT concat_ws(' ', indexrelid, indisvalid) FROM pg_index
        UNION ALL
        SELECT concat_ws(' ', oid, conname, contype, conrelid, convalidated)
        FROM pg_constraint WHERE connamespace IN (SELECT oid FROM ours)
        UNION ALL
        SELECT concat_ws(' ', oid, tgname, tgrelid, tgenabled) FROM pg_trigger
        UNION ALL
        SELECT concat_ws(' ', oid, proname) FROM pg_proc
        WHERE pronamespace IN (SELECT oid FROM ours)
        UNION ALL
        SELECT concat_ws(' ', oid, typname) FROM pg_type
        WHERE typnamespace IN (SELECT oid FROM ours)
    ) AS parts
""")
EMPTY = """
    DO $$
    DECLARE name regclass; filled boolean;
    BEGIN
        FOR name IN SELECT c.oid FROM pg_class c WHERE c.relkind = 'r'
            AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
        LOOP
            EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO filled;
            IF filled THEN
                EXECUTE 'TRUNCATE ' || name || ' RESTART IDENTITY CASCADE';
            END IF;
        END LOOP;
    END $$
"""


@contextmanager
def standing(url: str) -> Iterator[Standing]:
    """Lend the database of a cluster to one test after another."""
    with closing(open_database(url)) as database:
        yield Standing(url, database)


class Standing:
    """A database that begins each test without tables, or with all and no rows."""

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self._database = database
        self._shape: str | None = None

    def without_tables(self) -> None:
        """Drop what there is."""
        self._shape = None
        with self._database.write() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")

    def with_tables(self) -> None:
        """Empty the tables; make them where a test changed more than rows."""
        if self._shape is None or self._shape != self._found():
            self.without_tables()
            self._database.apply_schema()
            self._shape = self._found()
            return
        with self._database.write() as connection:
            connection.exec_driver_sql(EMPTY)
            connection.execute(STAMP, {"version": CURRENT})
            connection.execute(SUPPORT, {"oldest": OLDEST})

    def _found(self) -> str:
        with self._database.read() as connection:
            return connection.execute(SHAPE).scalar_one()
