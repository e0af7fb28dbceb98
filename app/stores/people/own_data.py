"""What is stored about an account, for its person: rows without secrets and hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import TextualSelect

from app.atproto.syntax.grammar import Did
from app.flows.account.data import StoredData
from app.stores.sql.database import Database
from app.stores.sql.records import fetching

# Columns are named one by one: a new column is not shown before it was thought about.
TABLES: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "account": (
        "users",
        (
            "did",
            "username",
            "handle",
            "handle_checked_at",
            "issuer",
            "created_at",
            "disabled_at",
            "username_changed_at",
            "display_name",
            "avatar_cid",
            "profile_checked_at",
            "email",
            "email_host",
            "email_confirmed_at",
        ),
        "created_at",
    ),
    "former_usernames": (
        "username_holds",
        ("username", "expires_at"),
        "expires_at",
    ),
    "sessions": (
        "sessions",
        (
            "sid",
            "handle",
            "device",
            "app_name",
            "granted_scope",
            "created_at",
            "seen_at",
            "expires_at",
            "ended_at",
            "refreshed_at",
        ),
        "created_at",
    ),
    "groups": ("group_members", ("group_name", "added_at"), "added_at"),
    "access_at_hosts": (
        "oauth_sessions",
        (
            "issuer",
            "pds",
            "handle",
            "scope",
            "requested_scope",
            "created_at",
            "refreshed_at",
            "verified_at",
            "expires_at",
        ),
        "created_at",
    ),
    "logins_under_way": (
        "oauth_auth_requests",
        ("issuer", "pds", "handle", "login_hint", "scope", "created_at", "expires_at"),
        "created_at",
    ),
    "app_logins": (
        "native_logins",
        ("app_name", "status", "created_at", "decided_at", "acknowledged_at"),
        "created_at",
    ),
    "apps_signed_in": (
        "provider_grants",
        (
            "client_id",
            "scope",
            "auth_time",
            "created_at",
            "used_at",
            "expires_at",
            "refreshed_at",
        ),
        "created_at",
    ),
    "apps_allowed": (
        "provider_consents",
        ("client_id", "scope", "given_at"),
        "given_at",
    ),
    "events": ("audit_events", ("event", "sid", "detail", "created_at"), "id"),
}
"""By kind: the table, the columns, and the one that puts the latest row first."""


def _select(table: str, columns: Sequence[str], order: str) -> TextualSelect:
    return fetching(
        columns,
        f"SELECT {{columns}} FROM {table} WHERE did = :did"  # noqa: S608 - our names
        f" ORDER BY {order} DESC LIMIT :limit",
    )


SELECT: Final = {kind: _select(*table) for kind, table in TABLES.items()}


class SqlOwnData(StoredData):
    """The rows of an account in all tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, did: Did, *, limit: int) -> Mapping[str, Sequence[dict[str, Any]]]:
        wanted = {"did": did, "limit": limit}
        found: dict[str, list[dict[str, Any]]] = {}
        for kind, statement in SELECT.items():
            with self._database.read() as connection:
                rows = connection.execute(statement, wanted).mappings().all()
            found[kind] = [dict(row) for row in rows]
        for event in found["events"]:
            event["detail"] = json.loads(event["detail"])
        return found
