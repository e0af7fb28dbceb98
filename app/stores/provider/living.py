"""Living grants: one SELECT over grant, account, client and session.

It is made anew each time, so that nothing that has ended is remembered here.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import TextualSelect

from app.flows.ports import User
from app.flows.provider.grants.records import Grant, LivingGrant
from app.stores.provider.clients import ITS_POLICY, client_of
from app.stores.sql.quick import Executor, MappedRow
from app.stores.sql.records import columns_of, fetching

TABLE: Final = "provider_grants"
COLUMNS = columns_of(Grant)
USER = columns_of(User)
CLIENT = ("registration", "created_at", "changed_at", "disabled_at")
OFFLINE: Final = f"' ' || {TABLE}.scope || ' ' LIKE '% offline_access %'"
IS_OPEN: Final = f"""
    {TABLE}.expires_at > :now AND ({OFFLINE} OR EXISTS (
        SELECT 1 FROM sessions WHERE sessions.sid = {TABLE}.session_id
          AND sessions.did = {TABLE}.did
          AND sessions.ended_at IS NULL AND sessions.expires_at > :now))
"""  # noqa: S608 - our names
"""Without a look at account and client, which may be enabled again."""
JOINED: Final = f"""
    FROM {TABLE}
    JOIN users ON users.did = {TABLE}.did AND users.disabled_at IS NULL
    JOIN provider_clients AS clients
      ON clients.client_id = {TABLE}.client_id AND clients.disabled_at IS NULL
"""
FETCHED: Final = (
    *(f"{TABLE}.{name}" for name in COLUMNS),
    *(f"users.{name} AS user_{name}" for name in USER),
    *(f"clients.{name} AS client_{name}" for name in CLIENT),
)
LIVING: Final = f"SELECT {{columns}} {JOINED} WHERE {IS_OPEN}"
BY_ID = fetching(FETCHED, f"{LIVING} AND grant_id = :key")
BY_CHAIN = fetching(FETCHED, f"{LIVING} AND refresh_chain_hash = :key")


def living_in(
    connection: Executor, statement: TextualSelect, *, key: str, now: float
) -> LivingGrant | None:
    """Return the grant that BY_ID or BY_CHAIN finds, or None."""
    wanted = {"key": key, "now": int(now)}
    row = connection.execute(statement, wanted).mappings().one_or_none()
    if row is None:
        return None
    named = {"client_id": row["client_id"]}
    allow = connection.execute(ITS_POLICY, named).scalars().all()
    user: dict[str, Any] = {name: row[f"user_{name}"] for name in USER}
    client = {name: row[f"client_{name}"] for name in CLIENT}
    return LivingGrant(
        grant=grant_of(row),
        user=User(**user),
        client=client_of({**client, **named}, allow),
    )


def grant_of(row: MappedRow) -> Grant:
    """Return the grant of a row."""
    values: dict[str, Any] = {name: row[name] for name in COLUMNS}
    return Grant(**values)
