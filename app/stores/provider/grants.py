"""Grants of apps, with the chain of their refresh tokens in the same row.

An ended grant is deleted. `living.py` reads whether one lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.syntax.grammar import Did
from app.flows.provider.grants.ports import Grants
from app.flows.provider.grants.records import (
    Grant,
    GrantLifetimes,
    ListedGrant,
    LivingGrant,
    Rotated,
)
from app.flows.sessions.rotation import chain_of, judge, next_token
from app.stores import refresh_tokens
from app.stores.provider.living import (
    BY_CHAIN,
    BY_ID,
    COLUMNS,
    IS_OPEN,
    LIVING,
    OFFLINE,
    TABLE,
    grant_of,
    living_in,
)
from app.stores.refresh_tokens import chain_hash, chain_in, rotation_row, successor_of
from app.stores.sql.database import Database
from app.stores.sql.quick import Executor
from app.stores.sql.records import fetching, insert_into, row_of

OF: Final = {
    (True, False): f"{TABLE}.did = :did",
    (False, True): f"{TABLE}.client_id = :client_id",
    (True, True): f"{TABLE}.did = :did AND {TABLE}.client_id = :client_id",
    (False, False): "1 = 1",
}
"""By whether an account and whether a client is named."""

LIST: Final = {
    named: fetching(
        (*(f"{TABLE}.{name}" for name in COLUMNS), "users.username"),
        f"{LIVING} AND {condition} ORDER BY {TABLE}.created_at DESC, grant_id",
    )
    for named, condition in OF.items()
}
ADD = text(insert_into(TABLE, COLUMNS))
COUNT = text(f"""
    SELECT count(*) FROM {TABLE} WHERE did = :did AND client_id = :client_id
""")  # noqa: S608 - our names
DROP_DEAD = text(f"""
    DELETE FROM {TABLE}
    WHERE did = :did AND client_id = :client_id AND NOT ({IS_OPEN})
""")  # noqa: S608 - our names
# Grants with tokens stay longest: any page can lead a person to an app many times, with
# codes that the app does not take. SQLite wants a LIMIT before OFFSET.
DROP_BEYOND = text(f"""
    DELETE FROM {TABLE} WHERE grant_id IN (
        SELECT grant_id FROM {TABLE}
        WHERE did = :did AND client_id = :client_id AND grant_id <> :grant_id
        ORDER BY
            (refresh_chain_hash IS NOT NULL OR EXISTS (
                SELECT 1 FROM provider_tokens
                WHERE provider_tokens.grant_id = {TABLE}.grant_id)) DESC,
            used_at DESC, created_at DESC, grant_id
        LIMIT 1000 OFFSET :others)
""")  # noqa: S608 - our names
START = text(f"""
    UPDATE {TABLE} SET refresh_chain_hash = :chain, refresh_hash = :token_hash,
        refreshed_at = :now
    WHERE grant_id = :grant_id AND refresh_chain_hash IS NULL
""")  # noqa: S608 - our names
# PostgreSQL: two rotations of one grant wait for each other. On SQLite a writer is
# alone in any case.
LOCK = text(f"""
    UPDATE {TABLE} SET refreshed_at = refreshed_at WHERE refresh_chain_hash = :key
""")  # noqa: S608 - our names
CHAIN = fetching(
    ("grant_id", *refresh_tokens.COLUMNS),
    f"SELECT {{columns}} FROM {TABLE} WHERE refresh_chain_hash = :key",  # noqa: S608
)
ROTATE = text(f"""
    UPDATE {TABLE}
    SET refresh_hash = :successor_hash, refresh_previous_hash = :opener_hash,
        refresh_successor = :sealed, refreshed_at = :now, used_at = :now,
        expires_at = :expires_at
    WHERE refresh_chain_hash = :chain AND refresh_hash = :opener_hash
""")  # noqa: S608 - our names
MOVE = text(f"""
    UPDATE {TABLE} SET session_id = :to_sid,
        expires_at = CASE WHEN {OFFLINE} THEN expires_at ELSE :expires_at END
    WHERE session_id = :from_sid
      AND did = (SELECT did FROM sessions WHERE sid = :to_sid)
""")  # noqa: S608 - our names
END = fetching(
    COLUMNS,
    f"DELETE FROM {TABLE} WHERE grant_id = :grant_id RETURNING {{columns}}",  # noqa: S608
)
HAS_CHAIN = text(f"""
    SELECT 1 FROM {TABLE} WHERE refresh_chain_hash = :chain AND client_id = :client_id
""")  # noqa: S608 - our names
END_CHAIN = fetching(
    COLUMNS,
    f"""
    DELETE FROM {TABLE}
    WHERE refresh_chain_hash = :chain AND client_id = :client_id
    RETURNING {{columns}}
    """,  # noqa: S608 - our names
)
END_ALL: Final = {
    named: fetching(
        COLUMNS,
        f"DELETE FROM {TABLE} WHERE {one} RETURNING {{columns}}",  # noqa: S608
    )
    for named, one in OF.items()
}
DROP_TOKENS = text("DELETE FROM provider_tokens WHERE grant_id = :grant_id")


class SqlGrants(Grants):
    """Grants in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, grant: Grant, *, most: int) -> None:
        row = row_of(grant)
        values = {**row, "now": int(grant.created_at), "others": most - 1}
        with self._database.quick_write() as connection:
            if connection.execute(COUNT, values).scalar() >= most:
                connection.execute(DROP_DEAD, values)
                connection.execute(DROP_BEYOND, values)
            connection.execute(ADD, row)

    def living(self, grant_id: str, *, now: float) -> LivingGrant | None:
        with self._database.quick_read() as connection:
            return living_in(connection, BY_ID, key=grant_id, now=now)

    def by_refresh_token(self, token: str, *, now: float) -> LivingGrant | None:
        if chain_of(token) is None:
            return None
        with self._database.quick_read() as connection:
            return living_in(connection, BY_CHAIN, key=chain_hash(token), now=now)

    def start_refresh(self, grant_id: str, token: str, *, now: float) -> bool:
        row = {
            "grant_id": grant_id,
            "chain": chain_hash(token),
            "token_hash": sha256_hex(token),
            "now": int(now),
        }
        with self._database.quick_write() as connection:
            return connection.execute(START, row).rowcount == 1

    def rotate(self, token: str, *, lifetimes: GrantLifetimes, now: float) -> Rotated:
        key = chain_hash(token)
        with self._database.quick_write() as connection:
            connection.execute(LOCK, {"key": key})
            living = living_in(connection, BY_CHAIN, key=key, now=now)
            found = connection.execute(CHAIN, {"key": key}).mappings().one_or_none()
            chain = None if found is None else chain_in(found, owner="grant_id")
            if living is None or chain is None:
                return Rotated(verdict="unknown")
            verdict = judge(chain, token, now)
            if verdict == "repeat":
                return Rotated(verdict=verdict, token=successor_of(TABLE, chain, token))
            if verdict == "reused":
                _end(connection, chain.owner)
                return Rotated(verdict=verdict)
            successor = next_token(token)
            row = rotation_row(TABLE, successor, opener=token, now=now)
            expires_at = lifetimes.after_use(living.grant, now=now)
            connection.execute(ROTATE, {**row, "expires_at": int(expires_at)})
            return Rotated(verdict=verdict, token=successor)

    def is_current(self, token: str) -> bool:
        key = {"key": chain_hash(token)}
        with self._database.quick_read() as connection:
            row = connection.execute(CHAIN, key).mappings().one_or_none()
        return row is not None and row["refresh_hash"] == sha256_hex(token)

    def end_by_refresh_token(self, token: str, *, client_id: str) -> Grant | None:
        """End a client's grant that any refresh token of its chain names.

        Strangers name tokens: one that is unknown opens no transaction that writes.
        """
        if chain_of(token) is None:
            return None
        named = {"chain": chain_hash(token), "client_id": client_id}
        with self._database.quick_read() as connection:
            if connection.execute(HAS_CHAIN, named).scalar() is None:
                return None
        with self._database.quick_write() as connection:
            row = connection.execute(END_CHAIN, named).mappings().one_or_none()
            if row is None:
                return None
            connection.execute(DROP_TOKENS, {"grant_id": row["grant_id"]})
            return grant_of(row)

    def move(self, from_sid: str, to_sid: str, *, expires_at: float) -> int:
        values = {
            "from_sid": from_sid,
            "to_sid": to_sid,
            "expires_at": int(expires_at),
        }
        with self._database.quick_write() as connection:
            return connection.execute(MOVE, values).rowcount

    def end(self, grant_id: str) -> Grant | None:
        with self._database.quick_write() as connection:
            return _end(connection, grant_id)

    def end_all(
        self, *, did: Did | None = None, client_id: str | None = None
    ) -> Sequence[Grant]:
        if did is None and client_id is None:
            raise ValueError("an account or a client is named")
        named = did is not None, client_id is not None
        wanted = {"did": did, "client_id": client_id}
        with self._database.quick_write() as connection:
            rows = connection.execute(END_ALL[named], wanted).mappings().all()
            # After the grants: a refresh that they waited for has stored a token.
            for row in rows:
                connection.execute(DROP_TOKENS, {"grant_id": row["grant_id"]})
        return [grant_of(row) for row in rows]

    def list(
        self, *, did: Did | None = None, client_id: str | None = None, now: float
    ) -> Sequence[ListedGrant]:
        wanted = {"did": did, "client_id": client_id, "now": int(now)}
        statement = LIST[did is not None, client_id is not None]
        with self._database.read() as connection:
            rows = connection.execute(statement, wanted).mappings().all()
        return [
            ListedGrant(grant=grant_of(row), username=row["username"]) for row in rows
        ]


def _end(connection: Executor, grant_id: str) -> Grant | None:
    named = {"grant_id": grant_id}
    row = connection.execute(END, named).mappings().one_or_none()
    connection.execute(DROP_TOKENS, named)
    return None if row is None else grant_of(row)
