"""What works on the database as a whole: upgrade, backup, restore and copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from app.config import VERSION
from app.factory.container import Parts
from app.flows.storage import StorageWork
from app.flows.storage.backup import BackUp, Restore
from app.flows.storage.copy import CopyDatabase
from app.flows.storage.errors import MoveRefused
from app.flows.storage.upgrade import UpgradeSchema
from app.stores.encryption import Cipher
from app.stores.errors import DatabaseURLInvalid
from app.stores.moves.backup_folders import BackupFolders
from app.stores.moves.tables import SqlStorage
from app.stores.people.audit import SqlAudit
from app.stores.sql.database import open_database


def storage_work_of(parts: Parts) -> StorageWork:
    """Return the use cases that concern the database as a whole."""
    stores, clock = parts.stores, parts.outside.clock
    storage, audit = SqlStorage(stores.database, stores.cipher), stores.audit
    backups = BackupFolders()
    return StorageWork(
        upgrade=UpgradeSchema(schema=stores.database, audit=audit, clock=clock),
        back_up=BackUp(
            storage=storage,
            backups=backups,
            audit=audit,
            clock=clock,
            release=VERSION,
            note_end=partial(stores.runs.note, "backup"),
            keep=parts.settings.backup_keep,
        ),
        restore=Restore(storage=storage, backups=backups, audit=audit, clock=clock),
        copy=CopyDatabase(
            storage=storage,
            open_target=lambda url: _open_target(url, stores.cipher),
            audit=audit,
            clock=clock,
        ),
    )


@contextmanager
def _open_target(url: str, cipher: Cipher) -> Iterator[tuple[SqlStorage, SqlAudit]]:
    try:
        database = open_database(url)
    except DatabaseURLInvalid as error:
        raise MoveRefused(f"the target: {error}") from error
    try:
        yield SqlStorage(database, cipher), SqlAudit(database)
    finally:
        database.close()
