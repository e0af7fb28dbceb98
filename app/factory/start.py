"""What a service looks at before it starts: the schema of its database."""

from __future__ import annotations

import logging

from app.config import Settings
from app.flows.errors import StorageFailed
from app.stores.errors import DatabaseURLInvalid, SchemaMismatch
from app.stores.sql.database import open_database

log = logging.getLogger(__name__)


def require_schema(settings: Settings) -> None:
    """Raise `SchemaMismatch` unless the database has the schema of this release.

    A database that does not answer stops no start: it may come back, and /readyz says
    so meanwhile. The connection is closed again, because gunicorn forks afterwards.
    """
    try:
        database = open_database(settings.database_url)
    except DatabaseURLInvalid as error:
        raise SchemaMismatch(f"LATCHKEY_DATABASE_URL: {error}") from error
    try:
        database.require_schema()
    except SchemaMismatch:
        raise
    except StorageFailed as error:
        log.warning("the database does not answer: %s", error)
    finally:
        database.close()
