"""Erase an account: remove or anonymise the rows of its DID in every table.

users                 deleted; the username moves to username_holds
group_members         deleted
provider_codes        deleted
provider_consents     deleted
provider_grants       deleted, with their access tokens
provider_policies     deleted: no client names the DID any more
username_holds        earlier names of the account stay held, for no account
sessions              ended, and only their ids kept, until no token of them can live:
                      services that verify offline learn the ids from the feed
oauth_auth_requests   deleted: logins of this account that wait for their callback
native_logins         allowed ones deleted; denied ones keep their outcome alone
audit_events          DID, sid and detail removed, a mark in place of the DID
cache_entries         deleted where their key names the DID or the handle
rate_counters         deleted: the counter of calls; beside SQLite a file that forgets
                      in minutes
service_events        the DID and the detail removed; one event keeps the DID for 30
                      days, because it tells services of the deletion
oauth_sessions        kept: they are needed to revoke the grants, and deleted then, or
                      after a day of tries if the host stays down
callback_answers      encrypted for a browser, for two minutes: nothing names a DID
provider_requests     encrypted for a browser, for ten minutes: nothing names a DID

The other tables hold nothing of an account; a test names each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text

from app.atproto.syntax.grammar import Did
from app.flows.people.deletion import Erasure
from app.flows.ports import User
from app.stores.encryption import Cipher
from app.stores.logins.native_logins import SECRETS
from app.stores.people.accounts import as_literal
from app.stores.people.audit import RECORD, row_of_event
from app.stores.people.username_holds import hold
from app.stores.rates.sliding_window import key_of
from app.stores.services.events import NewEvent, append, forget
from app.stores.sql.database import Database
from app.stores.sql.records import EncryptedFields

STEP: Final = 500
"""Audit events of one transaction: services' calls make thousands a day."""

DELETE_USER = text("DELETE FROM users WHERE did = :did RETURNING username, skeleton")
GRANTS = text("SELECT session_id FROM oauth_sessions WHERE did = :did")
BY_DID = (
    text("UPDATE username_holds SET did = NULL WHERE did = :did"),
    text("""
        UPDATE sessions SET
            did = :mark, handle = NULL, device = '', app_name = NULL,
            oauth_session_id = NULL, granted_scope = NULL, destination = NULL,
            pending_for = NULL, login_id = NULL, refresh_chain_hash = NULL,
            refresh_hash = NULL, refresh_previous_hash = NULL,
            refresh_successor = NULL,
            ended_at = COALESCE(ended_at, :now)
        WHERE did = :did
    """),
    text("DELETE FROM group_members WHERE did = :did"),
    text("DELETE FROM provider_codes WHERE did = :did"),
    text("""
        DELETE FROM provider_tokens WHERE grant_id IN (
            SELECT grant_id FROM provider_grants WHERE did = :did)
    """),
    text("DELETE FROM provider_grants WHERE did = :did"),
    text("DELETE FROM provider_consents WHERE did = :did"),
    text("DELETE FROM provider_policies WHERE who = :did"),
    text("DELETE FROM oauth_auth_requests WHERE did = :did"),
    text("DELETE FROM native_logins WHERE did = :did"),
    text("""
        UPDATE audit_events SET did = :mark, sid = NULL, detail = '{}'
        WHERE did = :did
    """),
    text("DELETE FROM rate_counters WHERE key = :counter"),
    text("""
        DELETE FROM cache_entries
        WHERE key LIKE :in_text ESCAPE '\\' OR key LIKE :with_handle ESCAPE '\\'
    """),
)
COUNT_EVENTS = text("SELECT count(*) FROM audit_events WHERE did = :did")
FORGET_EVENTS = text("""
    UPDATE audit_events SET did = :mark, sid = NULL, detail = '{}'
    WHERE id IN (
        SELECT id FROM audit_events WHERE did = :did ORDER BY id LIMIT :limit)
""")
BLANK = text("UPDATE native_logins SET secrets = :secrets WHERE login_id = :login_id")


class SqlErasure(Erasure):
    """Erases accounts in all tables."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._native = EncryptedFields(cipher, "native_logins", SECRETS)

    def forget_events(self, did: Did, *, mark: str) -> int:
        values = {"did": did, "mark": mark, "limit": STEP}
        with self._database.write(durable=False) as connection:
            if (connection.execute(COUNT_EVENTS, values).scalar() or 0) <= STEP:
                return 0
            return connection.execute(FORGET_EVENTS, values).rowcount

    def erase(
        self,
        user: User,
        *,
        mark: str,
        apps: Collection[str],
        detail: Mapping[str, object],
        held_until: float,
        now: float,
    ) -> Sequence[str] | None:
        in_text = f"%{as_literal(user.did)}%"
        values = {
            "did": user.did,
            "mark": mark,
            "in_text": in_text,
            "counter": key_of(f"call {user.did}"),
            # Keys alone: values are long, and live for five minutes at most.
            "with_handle": f"%:{as_literal(user.handle or user.did)}",
            "now": int(now),
        }
        with self._database.write() as connection:
            row = connection.execute(DELETE_USER, values).mappings().one_or_none()
            if row is None:
                return None
            for statement in BY_DID:
                connection.execute(statement, values)
            hold(connection, **row, did=None, until=held_until)
            self._blank(connection, apps)
            event = row_of_event("account_deleted", now=now, did=mark, detail=detail)
            connection.execute(RECORD, event)
            forget(connection, user.did)
            append(connection, [NewEvent("deleted", user.did)], now=now)
            return connection.execute(GRANTS, values).scalars().all()

    def _blank(self, connection: Connection, apps: Collection[str]) -> None:
        """Remove what was typed from native logins, whose apps may still ask."""
        for login_id in apps:
            row = self._native.encrypt(dict.fromkeys(SECRETS, ""), login_id)
            connection.execute(BLANK, {**row, "login_id": login_id})
