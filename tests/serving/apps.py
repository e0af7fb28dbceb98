"""Awaiting apps as raw streams, and the people who allow or deny their logins."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.atproto.crypto.encoding import sha256_hex
from app.config import Settings
from app.factory.web import create_app
from app.flows.ports import NativeLogin
from app.stores.encryption import Cipher
from app.stores.logins.native_logins import DENY, SqlNativeLogins
from app.stores.sql.database import open_database

PATIENCE = 30.0
LIFETIME = 1800


class People:
    """Begins and denies logins in the database, from another process."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        secret_key = secrets.token_bytes(32)
        database_url = database_url or f"sqlite:///{folder}/latchkey.db"
        self.environment = {
            "LATCHKEY_DATABASE_URL": database_url,
            "LATCHKEY_SECRET_KEY": base64.urlsafe_b64encode(secret_key).decode(),
        }
        self.settings = Settings(database_url=database_url, secret_key=secret_key)
        app = create_app(self.settings)
        result = app.test_cli_runner().invoke(args=["init"])
        if result.exit_code:
            raise RuntimeError(result.output)
        self.database = open_database(database_url)
        self._logins = SqlNativeLogins(self.database, Cipher(secret_key))

    def begin(self, open_secret: str = "") -> str:
        """Begin a login as an app does; return its secret.

        `open_secret` is that of the link for the browser.
        """
        session_id, now = secrets.token_urlsafe(32), time.time()
        login = NativeLogin(
            login_id=sha256_hex(session_id),
            app_name="Sketch",
            user_code="WDJB-MJHT",
            code_challenge=None,
            identifier="alice.test",
            authorization_url="https://auth.test/authorize",
            state=secrets.token_urlsafe(16),
            created_at=now,
            expires_at=now + LIFETIME,
        )
        self._logins.add(login, open_secret=open_secret or secrets.token_urlsafe(32))
        return session_id

    def deny(self, session_id: str) -> None:
        """Deny the app's login."""
        if not self._logins.deny(sha256_hex(session_id), time.time()):
            raise RuntimeError("the login was decided already")

    def deny_all(self, session_ids: Sequence[str]) -> None:
        """Deny several logins in one transaction."""
        rows = [
            {"login_id": sha256_hex(one), "now": int(time.time())}
            for one in session_ids
        ]
        with self.database.write() as connection:
            connection.execute(DENY, rows)


@dataclass
class Stream:
    """One awaiting app, over a socket of its own."""

    raw: socket.socket
    seen: bytes = b""

    @classmethod
    def open(cls, path: Path, session_id: str) -> Stream:
        """Ask for the stream; its answer is not read yet."""
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(PATIENCE)
        raw.connect(str(path))
        raw.sendall(
            f"GET /auth/native/login/{session_id}/await HTTP/1.1\r\n"
            "Host: latchkey\r\nConnection: close\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        return cls(raw)

    def status(self) -> int:
        """Return the status of the answer."""
        return int(self._until(b"\r\n").split()[1])

    def event(self) -> dict[str, Any]:
        """Return the next event; comments are passed over."""
        while not (line := self._until(b"\n")).startswith(b"data: "):
            pass
        return json.loads(line.removeprefix(b"data: "))

    def rest(self) -> bytes:
        """Return what comes until the server ends the connection."""
        while more := self.raw.recv(4096):
            self.seen += more
        return self.seen

    def close(self) -> None:
        """Close the connection."""
        self.raw.close()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.seen:
            more = self.raw.recv(4096)
            if not more:
                raise EOFError(self.seen)
            self.seen += more
        found, _, self.seen = self.seen.partition(mark)
        return found
