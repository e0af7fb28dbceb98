"""What a service looks at before it starts: the schema, and the keys of the secrets."""

from __future__ import annotations

import logging

from app.config import Settings
from app.flows.errors import SchemaMismatch, StorageFailed
from app.stores.encrypted_rows import SqlEncryptedRows
from app.stores.errors import DatabaseURLInvalid
from app.stores.sql.database import open_database

from .stores import open_cipher

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


def report_missing_keys(settings: Settings) -> None:
    """Log the setting that lacks a key under which secrets are encrypted.

    Looks at the first rows of each table, so that it is quick; `secrets status` counts
    all. It stops no start: everything else can be served, and /readyz tells whether the
    signing keys open.
    """
    database = open_database(settings.database_url)
    try:
        missing = SqlEncryptedRows(database, open_cipher(settings)).missing_keys()
    except StorageFailed as error:
        log.warning("the database does not answer: %s", error)
        missing = ()
    finally:
        database.close()
    for key in missing:
        log.error(
            "secrets are encrypted under the key %r, which no setting holds: add this "
            "former value of LATCHKEY_SECRET_KEY to LATCHKEY_SECRET_KEY_FALLBACKS",
            key,
        )
