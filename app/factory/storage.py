"""Which store stands behind which port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings, keep_development_key
from app.stores.audit import SqlAudit
from app.stores.auth_requests import SqlStateStore
from app.stores.cache import SqlCache
from app.stores.database import Database, open_database
from app.stores.encryption import Cipher
from app.stores.keys import SqlSigningKeys
from app.stores.leases import SqlLease
from app.stores.native_login_events import SqlNativeChanges
from app.stores.native_logins import SqlNativeLogins
from app.stores.oauth_sessions import SqlSessionStore
from app.stores.sessions import SqlSessions
from app.stores.sweep import SqlExpired
from app.stores.users import SqlUsers

VAR = Path("var")
"""Where loopback development keeps its key and, by default, its database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything that is kept, behind the ports of `flows` and `atproto`."""

    database: Database
    states: SqlStateStore
    grants: SqlSessionStore
    cache: SqlCache
    users: SqlUsers
    sessions: SqlSessions
    native_logins: SqlNativeLogins
    native_changes: SqlNativeChanges
    keys: SqlSigningKeys
    audit: SqlAudit
    expired: SqlExpired
    sweep_lease: SqlLease


def open_stores(settings: Settings, clock: Callable[[], float]) -> Stores:
    """Return the stores of this deployment; the database is not asked yet."""
    database = open_database(settings.database_url)
    secret_key = settings.secret_key or keep_development_key(VAR)
    cipher = Cipher(secret_key, settings.secret_key_fallbacks)
    return Stores(
        database=database,
        states=SqlStateStore(database, cipher, clock),
        grants=SqlSessionStore(database, cipher),
        cache=SqlCache(database, clock),
        users=SqlUsers(database),
        sessions=SqlSessions(database, clock),
        native_logins=SqlNativeLogins(database, cipher),
        native_changes=SqlNativeChanges(database, clock),
        keys=SqlSigningKeys(database, cipher),
        audit=SqlAudit(database),
        expired=SqlExpired(database),
        sweep_lease=SqlLease(database, "sweep"),
    )
