"""The SQL stores, behind the ports of `flows` and `atproto`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.config import Problem, Settings, SettingsInvalid, keep_development_key
from app.stores.cache import SqlCache
from app.stores.encrypted_rows import SqlEncryptedRows
from app.stores.encryption import Cipher
from app.stores.errors import DatabaseURLInvalid
from app.stores.key_use import SqlKeyUse
from app.stores.keys import SqlSigningKeys
from app.stores.leases import SqlLease
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.logins.callback_answers import SqlCallbackAnswers
from app.stores.logins.native_login_events import SqlNativeLoginEvents
from app.stores.logins.native_logins import SqlNativeLogins
from app.stores.people.accounts import SqlAccounts
from app.stores.people.audit import SqlAudit
from app.stores.people.audit_trail import SqlAuditTrail
from app.stores.people.erasure import SqlErasure
from app.stores.people.groups import SqlGroups
from app.stores.people.invitations import SqlInvitations
from app.stores.people.live_sessions import SqlLiveSessions
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.people.own_data import SqlOwnData
from app.stores.people.refresh_chains import SqlRefreshChains
from app.stores.people.sessions import SqlSessions
from app.stores.people.standings import SqlStandings
from app.stores.people.users import SqlUsers
from app.stores.provider.assertions import SqlAssertions
from app.stores.provider.clients import SqlClients
from app.stores.provider.codes import SqlCodes
from app.stores.provider.consents import SqlConsents
from app.stores.provider.grants import SqlGrants
from app.stores.provider.requests import SqlWaitingRequests
from app.stores.provider.tokens import SqlAccessTokens
from app.stores.rates.known_hosts import SqlKnownHosts
from app.stores.runs import SqlRuns
from app.stores.services.events import SqlServiceEvents
from app.stores.services.keys import SqlServiceKeys
from app.stores.sql.database import Database, open_database
from app.stores.sweep import SqlExpired

VAR = Path("var")
"""Where loopback development keeps its key and, by default, its database."""


class Stores:
    """The stores of a deployment; the database is not asked yet."""

    def __init__(  # noqa: PLR0915 - a list, a store a line
        self, database: Database, cipher: Cipher, clock: Callable[[], float]
    ) -> None:
        self.database = database
        self.cipher = cipher
        self.states = SqlStateStore(database, cipher, clock)
        self.grants = SqlSessionStore(database, cipher)
        self.cache = SqlCache(database, clock)
        self.callback_answers = SqlCallbackAnswers(database)
        self.known_hosts = SqlKnownHosts(database, clock)
        self.users = SqlUsers(database)
        self.accounts = SqlAccounts(database)
        self.erasure = SqlErasure(database, cipher)
        self.groups = SqlGroups(database)
        self.standings = SqlStandings(database, clock)
        self.own_data = SqlOwnData(database)
        self.clients = SqlClients(database)
        self.assertions = SqlAssertions(database)
        self.codes = SqlCodes(database)
        self.waiting_requests = SqlWaitingRequests(database)
        self.app_grants = SqlGrants(database)
        self.consents = SqlConsents(database)
        self.access_tokens = SqlAccessTokens(database)
        self.invitations = SqlInvitations(database)
        self.sessions = SqlSessions(database, clock)
        self.live_sessions = SqlLiveSessions(database)
        self.native_logins = SqlNativeLogins(database, cipher)
        self.native_login_events = SqlNativeLoginEvents(database, clock)
        self.refresh_chains = SqlRefreshChains(database, clock)
        self.keys = SqlSigningKeys(database, cipher)
        self.key_use = SqlKeyUse(database)
        self.encrypted_rows = SqlEncryptedRows(database, cipher)
        self.audit = SqlAudit(database)
        self.audit_trail = SqlAuditTrail(database)
        self.expired = SqlExpired(database)
        self.sweep_lease = SqlLease(database, "sweep")
        self.runs = SqlRuns(database)
        self.service_events = SqlServiceEvents(database)
        self.service_keys = SqlServiceKeys(database)


def open_stores(settings: Settings, clock: Callable[[], float]) -> Stores:
    """Return the stores of the settings' database.

    Raises:
        SettingsInvalid: DATABASE_URL names no database.
    """
    return Stores(_open_database(settings), open_cipher(settings), clock)


def open_cipher(settings: Settings) -> Cipher:
    """Return what encrypts secrets at rest, under the keys of the settings."""
    secret_key = settings.secret_key or keep_development_key(VAR)
    return Cipher(secret_key, settings.secret_key_fallbacks)


def _open_database(settings: Settings) -> Database:
    try:
        return open_database(settings.database_url)
    except DatabaseURLInvalid as error:
        raise SettingsInvalid([Problem("database_url", str(error))]) from error
