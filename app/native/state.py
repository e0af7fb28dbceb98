"""What an app keeps, as one text: at most one login under way and one session.

The text is written and replaced as a whole. Reading it is forgiving in one way only:
whatever is half, damaged or of another version is as good as not there, so that nobody
is signed in by accident and the next login simply replaces it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

from .errors import ServerUrlInvalid
from .records import NativeSession, PendingLogin, StoredSession
from .urls import parse_server_url

VERSION: Final = 1

Record = TypeVar("Record", PendingLogin, NativeSession)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A login under way, a session, both or neither."""

    pending: PendingLogin | None = None
    stored: StoredSession | None = None


def decode(text: str | None) -> State:
    """Return what a text says; nothing when it cannot be trusted to the last field."""
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return State()
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return State()
    return State(
        pending=_record(PendingLogin, document.get("pending")),
        stored=_stored(document.get("session")),
    )


def encode(state: State) -> str | None:
    """Return the text to keep; None when there is nothing to keep."""
    document: dict[str, Any] = {"version": VERSION}
    if state.pending is not None:
        document["pending"] = asdict(state.pending)
    if state.stored is not None:
        claimed = {"claimed_with": state.stored.claimed_with}
        document["session"] = asdict(state.stored.session) | claimed
    return json.dumps(document, indent=1) if len(document) > 1 else None


def _stored(row: object) -> StoredSession | None:
    if not isinstance(row, dict) or not isinstance(row.get("claimed_with"), str):
        return None
    rest = {name: value for name, value in row.items() if name != "claimed_with"}
    session = _record(NativeSession, rest)
    if session is None or not session.token or not session.did.startswith("did:"):
        return None
    return StoredSession(session=session, claimed_with=row["claimed_with"])


def _record(kind: type[Record], row: object) -> Record | None:
    """Return a record whose fields are all there, of their types, and no others."""
    if not isinstance(row, dict) or set(row) != {field.name for field in fields(kind)}:
        return None
    for name, value in row.items():
        if not (_fits(name, value) or (name == "handle" and value is None)):
            return None
    record = kind(**row)
    return record if _is_origin(record.server_url) else None


def _fits(name: str, value: object) -> bool:
    if name.endswith("_at"):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _is_origin(url: str) -> bool:
    try:
        return parse_server_url(url) == url
    except ServerUrlInvalid:
        return False
