"""OAuth clients of this platform, their policies, and the hashes of their secrets.

A registration is one JSON object. A policy is a row for each entry, so that deleting an
account removes its DID with one statement. A change locks the client's row first: two
commands at once see each other.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.provider.registration import Client, Clients, Registration, SecretId
from app.stores.sql.database import Database
from app.stores.sql.quick import MappedRow
from app.stores.sql.records import fetching

MOST_PARSED: Final = 100
"""Registrations that a process keeps parsed, each by its whole text."""

ADD = text("""
    INSERT INTO provider_clients
        (client_id, registration, created_at, changed_at)
    SELECT :client_id, :registration, :created_at, :changed_at
    WHERE (SELECT count(*) FROM provider_clients) < :most
    ON CONFLICT (client_id) DO NOTHING
""")
CHANGE = text("""
    UPDATE provider_clients SET registration = :registration,
        changed_at = :changed_at, disabled_at = :disabled_at
    WHERE client_id = :client_id
""")
# On SQLite a writer is alone in any case.
LOCK = text("""
    UPDATE provider_clients SET changed_at = changed_at WHERE client_id = :client_id
""")
REMOVE = text("DELETE FROM provider_clients WHERE client_id = :client_id")
ALL = text("""
    SELECT client_id, registration, created_at, changed_at, disabled_at
    FROM provider_clients
    WHERE client_id = :client_id OR CAST(:client_id AS TEXT) IS NULL ORDER BY client_id
""")
ANY = text("SELECT 1 FROM provider_clients LIMIT 1")
# As `json.dumps` writes it: in a name, the quotes have backslashes before them.
TOLD_ADDRESSES = text("""
    SELECT 1 FROM provider_clients
    WHERE registration LIKE '%"email": "account"%' LIMIT 1
""")
ONE = fetching(
    ("client_id", "registration", "created_at", "changed_at", "disabled_at"),
    "SELECT {columns} FROM provider_clients WHERE client_id = :client_id",
)
ITS_POLICY = fetching(
    ("who",),
    """
    SELECT {columns} FROM provider_policies
    WHERE client_id = :client_id ORDER BY who
    """,
)
POLICIES = text("""
    SELECT client_id, who FROM provider_policies
    WHERE client_id = :client_id OR CAST(:client_id AS TEXT) IS NULL ORDER BY who
""")
ALLOW = text("INSERT INTO provider_policies (client_id, who) VALUES (:client_id, :who)")
FORGET_POLICY = text("DELETE FROM provider_policies WHERE client_id = :client_id")
SECRETS = text("""
    SELECT secret_id, created_at FROM provider_secrets
    WHERE client_id = :client_id ORDER BY created_at, secret_id
""")
HAS_SECRET = text("""
    SELECT count(*) FROM provider_secrets
    WHERE client_id = :client_id AND secret_hash = :secret_hash
""")
ADD_SECRET = text("""
    INSERT INTO provider_secrets (secret_id, client_id, secret_hash, created_at)
    VALUES (:secret_id, :client_id, :secret_hash, :created_at)
""")
DROP_SECRET = text("DELETE FROM provider_secrets WHERE secret_id = :secret_id")
FORGET_SECRETS = text("DELETE FROM provider_secrets WHERE client_id = :client_id")
FORGET_CONSENTS = text("DELETE FROM provider_consents WHERE client_id = :client_id")
FORGET_REQUESTS = text("DELETE FROM provider_requests WHERE client_id = :client_id")


class SqlClients(Clients):
    """OAuth clients in three tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, client: Client, *, most: int) -> bool:
        with self._database.write() as connection:
            if connection.execute(ADD, {**_row(client), "most": most}).rowcount != 1:
                return False
            _allow(connection, client)
        return True

    def get(self, client_id: str) -> Client | None:
        # Strangers name clients. PostgreSQL takes no NUL, SQLite no lone surrogate.
        if not (client_id.isascii() and client_id.isprintable()):
            return None
        named = {"client_id": client_id}
        with self._database.quick_read() as connection:
            row = connection.execute(ONE, named).mappings().one_or_none()
            if row is None:
                return None
            return client_of(row, connection.execute(ITS_POLICY, named).scalars().all())

    def are_any(self) -> bool:
        """Tell whether there is a client, disabled ones too."""
        with self._database.quick_read() as connection:
            return connection.execute(ANY).scalar() is not None

    def are_any_told_addresses(self) -> bool:
        """Tell whether a client was registered with `--email account`."""
        with self._database.quick_read() as connection:
            return connection.execute(TOLD_ADDRESSES).scalar() is not None

    def list(self) -> Sequence[Client]:
        with self._database.read() as connection:
            return _read(connection, None)

    def change(
        self, client_id: str, change: Callable[[Client], Client]
    ) -> Client | None:
        named = {"client_id": client_id}
        with self._database.write() as connection:
            if connection.execute(LOCK, named).rowcount != 1:
                return None
            [found] = _read(connection, client_id)
            client = change(found)
            connection.execute(CHANGE, _row(client))
            connection.execute(FORGET_POLICY, named)
            _allow(connection, client)
        return client

    def forget_answers(self, client_id: str) -> None:
        named = {"client_id": client_id}
        with self._database.write() as connection:
            connection.execute(FORGET_REQUESTS, named)
            connection.execute(FORGET_CONSENTS, named)

    def remove(self, client_id: str) -> bool:
        named = {"client_id": client_id}
        with self._database.write() as connection:
            is_removed = connection.execute(REMOVE, named).rowcount == 1
            connection.execute(FORGET_POLICY, named)
            connection.execute(FORGET_SECRETS, named)
            connection.execute(FORGET_CONSENTS, named)
        return is_removed

    def secrets(self, client_id: str) -> Sequence[SecretId]:
        with self._database.read() as connection:
            return _secrets(connection, client_id)

    def has_secret(self, client_id: str, secret: str) -> bool:
        """Tell whether this is one of the client's secrets."""
        wanted = {"client_id": client_id, "secret_hash": sha256_hex(secret)}
        with self._database.quick_read() as connection:
            return bool(connection.execute(HAS_SECRET, wanted).scalar())

    def add_secret(
        self, client_id: str, secret: str, *, known: SecretId, most: int
    ) -> bool:
        with self._database.write() as connection:
            if connection.execute(LOCK, {"client_id": client_id}).rowcount != 1:
                return False
            found = _secrets(connection, client_id)
            if len(found) >= most:
                return False
            # Two of one second keep their order: `drop` takes the older one.
            after = max((one.created_at + 1 for one in found), default=0)
            row = {
                "secret_id": known.secret_id,
                "client_id": client_id,
                "secret_hash": sha256_hex(secret),
                "created_at": int(max(known.created_at, after)),
            }
            connection.execute(ADD_SECRET, row)
        return True

    def drop_secret(self, client_id: str, secret_id: str | None) -> str | None:
        with self._database.write() as connection:
            connection.execute(LOCK, {"client_id": client_id})
            found = [one.secret_id for one in _secrets(connection, client_id)]
            dropped = secret_id or next(iter(found), None)
            if len(found) < 2 or dropped not in found:
                return None
            connection.execute(DROP_SECRET, {"secret_id": dropped})
        return dropped


def _read(connection: Connection, client_id: str | None) -> list[Client]:
    named, allowed = {"client_id": client_id}, defaultdict(list)
    for row in connection.execute(POLICIES, named):
        allowed[row.client_id].append(row.who)
    rows = connection.execute(ALL, named).mappings().all()
    return [client_of(row, allowed[row["client_id"]]) for row in rows]


def client_of(row: MappedRow, allow: Iterable[str]) -> Client:
    """Return the client of a row, with its policy."""
    return Client(
        client_id=row["client_id"],
        registration=registration_of(row),
        allow=tuple(allow),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        disabled_at=row["disabled_at"],
    )


def registration_of(row: MappedRow) -> Registration:
    """Return what an operator registered, of a row."""
    return _registration(row["registration"])


@lru_cache(maxsize=MOST_PARSED)
def _registration(text: str) -> Registration:
    stored: dict[str, Any] = json.loads(text)
    known = {field.name for field in fields(Registration)}
    registration: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in known  # a newer release may have written more
    }
    return Registration(**registration)


def _row(client: Client) -> dict[str, object]:
    ended = client.disabled_at
    return {
        "client_id": client.client_id,
        "registration": json.dumps(asdict(client.registration)),
        "created_at": int(client.created_at),
        "changed_at": int(client.changed_at),
        "disabled_at": None if ended is None else int(ended),
    }


def _allow(connection: Connection, client: Client) -> None:
    rows = [{"client_id": client.client_id, "who": who} for who in client.allow]
    if rows:
        connection.execute(ALLOW, rows)


def _secrets(connection: Connection, client_id: str) -> list[SecretId]:
    rows = connection.execute(SECRETS, {"client_id": client_id}).mappings().all()
    return [SecretId(**row) for row in rows]
