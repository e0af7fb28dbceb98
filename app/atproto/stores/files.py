"""File stores of auth requests and sessions, for programs of one person.

Secrets are in clear in a file that only its owner may read: an encryption key would
have to be stored beside it. A service with many accounts needs a database
(requirement 7.23).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

from ..crypto.encoding import sha256_hex
from ..crypto.keys import SigningKey
from ..records import AuthRequest, OAuthSession
from ..syntax.grammar import Did
from .private_file import FileUnusable, PrivateFile
from .protocols import SessionStore, StateStore

Record = TypeVar("Record", AuthRequest, OAuthSession)

LEASE: Final = "lease"
"""Beside the fields of a session: its holder, and when the lease ends."""


class JsonFile:
    """One JSON object in a private file."""

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        """Name the file; `patience` is how many seconds a change waits for its lock."""
        self._file = PrivateFile(path, patience=patience)

    def read(self) -> dict[str, Any]:
        """Return the object; {} when there is no file.

        Raises:
            FileUnusable: of another owner or mode, or damaged.
        """
        text = self._file.read()
        try:
            content = json.loads("{}" if text is None else text)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            path = self._file.path
            raise FileUnusable(f"{path} is damaged: remove it and sign in again")
        return content

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Yield the object to change in place; write it if the block succeeds.

        Raises:
            FileUnusable: as `read`; or another process kept the lock for too long.
        """
        with self._file.locked():
            content = self.read()
            before = json.dumps(content)
            yield content
            if json.dumps(content) != before:
                self._file.replace(json.dumps(content, indent=1))


class FileStateStore(StateStore):
    """Auth requests in `auth-requests.json`; `put` deletes the expired ones."""

    def __init__(self, directory: Path, clock: Callable[[], float]) -> None:
        self._file = JsonFile(directory / "auth-requests.json")
        self._clock = clock

    def put(self, request: AuthRequest) -> None:
        now = self._clock()
        with self._file.changing() as requests:
            stale = [k for k, row in requests.items() if row["expires_at"] <= now]
            for key in stale:
                del requests[key]
            requests[sha256_hex(request.state)] = _row_of(request)

    def get(self, state: str) -> AuthRequest | None:
        return self._unexpired(self._file.read().get(sha256_hex(state)))

    def take(self, state: str) -> AuthRequest | None:
        with self._file.changing() as requests:
            taken = requests.pop(sha256_hex(state), None)
        return self._unexpired(taken)

    def _unexpired(self, row: dict[str, Any] | None) -> AuthRequest | None:
        if row is None or row["expires_at"] <= self._clock():
            return None
        return _record(AuthRequest, row)


class FileSessionStore(SessionStore):
    """OAuth sessions in `sessions.json`."""

    def __init__(self, directory: Path) -> None:
        self._file = JsonFile(directory / "sessions.json")

    def put(self, session: OAuthSession) -> None:
        key = _key(session.did, session.session_id)
        with self._file.changing() as sessions:
            lease = sessions.get(key, {}).get(LEASE)
            sessions[key] = {**_row_of(session), LEASE: lease}

    def get(self, did: Did, session_id: str) -> OAuthSession | None:
        return _session(self._file.read().get(_key(did, session_id)))

    def all(self) -> tuple[OAuthSession, ...]:
        """Return every session, the newest first."""
        found = [_record(OAuthSession, row) for row in self._file.read().values()]
        return tuple(sorted(found, key=lambda one: one.created_at, reverse=True))

    def delete(self, did: Did, session_id: str) -> OAuthSession | None:
        with self._file.changing() as sessions:
            deleted = sessions.pop(_key(did, session_id), None)
        return _session(deleted)

    def lease(
        self, did: Did, session_id: str, *, holder: str, until: float, now: float
    ) -> OAuthSession | None:
        with self._file.changing() as sessions:
            row = sessions.get(_key(did, session_id))
            if row is None or (row[LEASE] is not None and row[LEASE]["until"] > now):
                return None
            row[LEASE] = {"holder": holder, "until": until}
        return _session(row)

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        key = _key(session.did, session.session_id)
        with self._file.changing() as sessions:
            if key not in sessions or not _is_holder(sessions[key], holder):
                return False
            sessions[key] = {**_row_of(session), LEASE: None}
        return True

    def release(self, did: Did, session_id: str, *, holder: str) -> None:
        with self._file.changing() as sessions:
            row = sessions.get(_key(did, session_id))
            if row is not None and _is_holder(row, holder):
                row[LEASE] = None


def _key(did: Did, session_id: str) -> str:
    return f"{did} {session_id}"


def _is_holder(row: Mapping[str, Any], holder: str) -> bool:
    return row[LEASE] is not None and row[LEASE]["holder"] == holder


def _row_of(record: AuthRequest | OAuthSession) -> dict[str, Any]:
    row = {field.name: getattr(record, field.name) for field in fields(record)}
    return {**row, "dpop_key": record.dpop_key.private_jwk()}


def _session(row: Mapping[str, Any] | None) -> OAuthSession | None:
    return None if row is None else _record(OAuthSession, row)


def _record(kind: type[Record], row: Mapping[str, Any]) -> Record:
    values = {name: value for name, value in row.items() if name != LEASE}
    try:
        values["dpop_key"] = SigningKey.from_jwk(values["dpop_key"])
        return kind(**values)
    except (KeyError, TypeError, ValueError):
        message = "a stored record is of another version: sign in again"
        raise FileUnusable(message) from None
