"""What the service has stored, read with its own stores and its own key."""

from __future__ import annotations

import sqlite3
import subprocess
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.atproto.crypto.keys import SigningKey
from app.atproto.records import OAuthSession
from app.stores.encryption import Cipher
from app.stores.keys import SqlSigningKeys
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.sql.database import Database, open_database
from tests.lab.service import Service

SESSIONS = "SELECT did, session_id FROM oauth_sessions WHERE did LIKE :did"
ACKNOWLEDGED = "SELECT acknowledged_at FROM native_logins WHERE user_code = :code"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@dataclass(frozen=True)
class Vault:
    """The database of a running service, opened beside it."""

    url: str
    secret_key: str
    database: Database
    cipher: Cipher

    @classmethod
    def of(cls, service: Service) -> Vault:
        """Open the database of a service."""
        key_file = Path(service.environment["LATCHKEY_SECRET_KEY_FILE"])
        secret_key = key_file.read_text().strip()
        return cls(
            url=service.database_url,
            secret_key=secret_key,
            database=open_database(service.database_url),
            cipher=Cipher(urlsafe_b64decode(secret_key + "=")),
        )

    def oauth_sessions(self, did: str = "%") -> list[OAuthSession]:
        """Return the OAuth sessions of one account, or of all."""
        store = SqlSessionStore(self.database, self.cipher)
        found = [store.get(*key) for key in self._rows(SESSIONS, did=did)]
        return [session for session in found if session is not None]

    def acknowledged(self, user_code: str) -> bool:
        """Tell whether the app with this code has said that it keeps its token."""
        [(at,)] = self._rows(ACKNOWLEDGED, code=user_code)
        return at is not None

    def client_key(self) -> SigningKey:
        """Return the key that the service signs its client assertions with."""
        return SqlSigningKeys(self.database, self.cipher).list("client")[0].key

    def secrets(self) -> Iterator[str]:
        """Yield everything that must be sealed, in clear."""
        yield self.secret_key
        for session in self.oauth_sessions():
            yield session.access_token
            yield session.refresh_token or session.access_token
            yield session.dpop_key.private_jwk()["d"]
        keys = SqlSigningKeys(self.database, self.cipher)
        for ring in ("platform", "client"):
            yield from (stored.key.private_jwk()["d"] for stored in keys.list(ring))

    def contents(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the text of a dump; of SQLite's files as well."""
        if not self.url.startswith("sqlite:///"):
            yield "a dump", "\n".join(self._dump())
            return
        path = Path(self.url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(path)) as connection:
            yield "a dump", "\n".join(connection.iterdump())
        for file in path.parent.glob(f"{path.name}*"):
            # By another process: closing a file lets go of the locks of all SQLite
            # connections of this one, and the service could delete their log.
            read = subprocess.run(["cat", file], capture_output=True, check=True)
            yield file.name, read.stdout.decode("latin-1")

    def _dump(self) -> Iterator[str]:
        """Yield a line for each table of PostgreSQL and for each of its rows."""
        for (table,) in self._rows(TABLES):
            yield f"CREATE TABLE {table}"
            yield from map(repr, self._rows(f"SELECT * FROM {table}"))  # noqa: S608

    def _rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]
