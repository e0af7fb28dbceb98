"""The version of the schema: create it, compare it, migrate it (alembic).

The table `alembic_version` names the release whose schema a database has. Release 0.1.0
wrote no version: tables without one are its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from app.flows.errors import SchemaMismatch

from .statements import statements

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA = Path(__file__).parents[3] / "schema.sql"
MIGRATIONS = Path(__file__).parents[1] / "migrations"

FIRST: Final = "0.1.0"
CURRENT: Final = "0.2.0"
"""The newest revision in `migrations/versions`, and what schema.sql creates."""

OLDEST: Final = "0.1.0"
"""The oldest release whose services run on the schema of this one."""

BOOKKEEPING: Final = frozenset({"alembic_version", "schema_support"})
"""Tables that say what the others are."""

SUPPORT = text("INSERT INTO schema_support (oldest_release) VALUES (:oldest)")
OLDEST_OF = text("SELECT oldest_release FROM schema_support")
READ = text("SELECT version_num FROM alembic_version")
STAMP = text("INSERT INTO alembic_version (version_num) VALUES (:version)")


def version_of(connection: Connection) -> str | None:
    """Return the release whose schema the database has; None when it has no tables."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables and (found := connection.execute(READ).scalar()):
        return str(found)
    return FIRST if "users" in tables else None


def create_schema(connection: Connection) -> bool:
    """Create the tables of this release; False if they are there already.

    Raises:
        SchemaMismatch: the tables are another release's.
    """
    if version_of(connection) is not None:
        require_current(connection)
        return False
    for statement in statements(SCHEMA.read_text(encoding="utf-8")):
        connection.exec_driver_sql(statement)
    connection.execute(STAMP, {"version": CURRENT})
    connection.execute(SUPPORT, {"oldest": OLDEST})
    return True


def create_release(connection: Connection, version: str) -> None:
    """Create the tables of a release, in the caller's transaction.

    Raises:
        SchemaMismatch: the database is not empty, or the release is unknown.
    """
    found = version_of(connection)
    if found is not None or inspect(connection).get_table_names():
        raise SchemaMismatch(
            f"the database is not empty (schema of release {found or 'unknown'}): "
            "only an empty one is filled"
        )
    if version == CURRENT:
        create_schema(connection)
        return
    if version not in releases():
        raise _unknown(version)
    _migrate(connection, version, lambda _step: None)


def require_current(connection: Connection) -> None:
    """Raise `SchemaMismatch` unless this release runs on the schema of the database.

    That is its own schema, or a newer one that names this release among those that run
    on it: nodes are upgraded one after the other, and a release may be rolled back.
    """
    found = version_of(connection)
    if found is None:
        raise SchemaMismatch(
            "the database has no tables yet: run `flask --app wsgi init`"
        )
    if found == CURRENT:
        return
    if _is_older(found):
        raise SchemaMismatch(
            f"the database has the schema of release {found}, this release needs "
            f"{CURRENT}: run `flask --app wsgi upgrade`"
        )
    if not _is_supported(connection):
        raise _unknown(found)


def upgrade(
    connection: Connection, report: Callable[[str], None]
) -> tuple[str | None, str]:
    """Run the revisions that are missing; return the versions before and after.

    A newer schema on which this release runs stays as it is.

    Raises:
        SchemaMismatch: a newer release made the tables, and this one cannot use them.
    """
    found = version_of(connection)
    if found is None or found == CURRENT:
        return found, CURRENT
    if not _is_older(found):
        require_current(connection)
        return found, found
    if found not in releases():
        raise _unknown(found)
    _migrate(connection, CURRENT, report)
    return found, CURRENT


def _migrate(
    connection: Connection, version: str, report: Callable[[str], None]
) -> None:
    from alembic import command  # noqa: PLC0415 - a quarter second, needed here alone

    config = _config()
    config.attributes |= {"connection": connection, "report": report}
    if version_of(connection) == FIRST:
        command.stamp(config, FIRST)
    command.upgrade(config, version)


def _is_supported(connection: Connection) -> bool:
    if not inspect(connection).has_table("schema_support"):
        return False
    oldest = connection.execute(OLDEST_OF).scalar()
    return oldest is not None and _numbers(oldest) <= _numbers(CURRENT)


def _is_older(release: str) -> bool:
    # By its number, because a service asks every second while its node waits for its
    # turn in an upgrade, and reading the revisions takes alembic.
    return _numbers(release) < _numbers(CURRENT)


def _numbers(release: str) -> list[float]:
    parts = release.split(".")
    return [int(part) if part.isdecimal() else math.inf for part in parts]


def _unknown(found: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"this release ({CURRENT}) does not know the schema of release {found}: "
        "install that release, or `restore` a backup made before it into an empty "
        "database"
    )


def releases() -> list[str]:
    """Return the releases that changed the schema, the newest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    scripts = ScriptDirectory.from_config(_config())
    return [each.revision for each in scripts.walk_revisions()]


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
