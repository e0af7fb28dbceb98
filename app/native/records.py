"""The records of a login and a session, and their JSON encoding in the store.

Everything that an app stores is one text: at most one login under way and one session.
It is written and replaced as a whole. When it is read, a part that is incomplete,
damaged or of another version counts as absent, so that no damaged file signs a person
in; the next login replaces it.

The server's URL is part of both records: a token is never stored without the service
that it is for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, TypeVar

from .errors import ServerUrlInvalid
from .urls import parse_server_url

VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStarted:
    """A login that waits for the person: open `oauth_url`, show `user_code`."""

    oauth_url: str = field(repr=False)
    """For the browser alone: another program that opens it first spoils the login."""
    session_id: str = field(repr=False)
    """The secret to await the login with."""
    user_code: str
    """Shown by the app; the person compares it with the page in the browser."""
    expires_in: int
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeSession:
    """Who is signed in, where, and the platform token to send as a Bearer token."""

    server_url: str
    token: str = field(repr=False)
    did: str
    handle: str | None
    username: str
    expires_at: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """The result of signing out. On this machine the session is gone in any case."""

    server_url: str | None = None
    """The session's service; None when there was no session, or it was unreadable."""
    trouble: str | None = None
    """Why the service may still keep the session; None when it does not."""

    @property
    def is_ended(self) -> bool:
        """Whether the session has ended at the service, too."""
        return self.trouble is None

    @property
    def account_page(self) -> str | None:
        """Where the person can end a session that the service may still keep."""
        return self.server_url and f"{self.server_url}/auth/account"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLogin:
    """A login under way, stored so that it survives a crash of the app.

    `login_id` is the app's own: a step that changes the store compares it first. Until
    the service has answered the initiation there is no `session_id`.
    """

    login_id: str
    server_url: str
    verifier: str = field(repr=False)
    started_at: int
    expires_at: int
    session_id: str = field(default="", repr=False)
    oauth_url: str = field(default="", repr=False)
    user_code: str = ""

    @property
    def is_awaitable(self) -> bool:
        """Whether the service has answered the initiation."""
        return bool(self.session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """What renews the token of a session, once; stored and never handed out."""

    token: str = field(repr=False)
    renew_at: int
    """Epoch seconds, before the token's expiry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session and the login that it came from."""

    session: NativeSession
    claimed_with: str
    """`hashed` of the login's session_id: awaiting it again finds this session."""
    refresh: RefreshToken | None = None
    """None from a service without refresh tokens, and from release 0.1 of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that is stored: a login under way, a session, both or neither."""

    pending: PendingLogin | None = None
    stored: StoredSession | None = None


Record = TypeVar("Record", PendingLogin, NativeSession)


def hashed(session_id: str) -> str:
    """Return the SHA-256 of a session_id in hexadecimal: stored once it is used up."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def decode(text: str | None) -> State:
    """Return the state in a text; an empty one where the text is not well-formed."""
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return State()
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return State()
    return State(
        pending=_record(PendingLogin, document.get("pending")),
        stored=_stored(document.get("session"), document.get("refresh")),
    )


def encode(state: State) -> str | None:
    """Return the text to store; None when the state is empty."""
    document: dict[str, Any] = {"version": VERSION}
    if state.pending is not None:
        document["pending"] = asdict(state.pending)
    if state.stored is not None:
        claimed = {"claimed_with": state.stored.claimed_with}
        document["session"] = asdict(state.stored.session) | claimed
        if state.stored.refresh is not None:
            document["refresh"] = asdict(state.stored.refresh) | claimed
    return json.dumps(document, indent=1) if len(document) > 1 else None


def _stored(row: object, refresh: object) -> StoredSession | None:
    if not isinstance(row, dict) or not isinstance(row.get("claimed_with"), str):
        return None
    rest = {name: value for name, value in row.items() if name != "claimed_with"}
    session = _record(NativeSession, rest)
    if session is None or not session.token or not session.did.startswith("did:"):
        return None
    claimed_with = row["claimed_with"]
    return StoredSession(
        session=session,
        claimed_with=claimed_with,
        refresh=_refresh(refresh, claimed_with),
    )


def _refresh(row: object, claimed_with: str) -> RefreshToken | None:
    """Return the refresh token of the session; not one that an earlier login left."""
    if not isinstance(row, dict) or row.get("claimed_with") != claimed_with:
        return None
    token, renew_at = row.get("token"), row.get("renew_at")
    if not isinstance(token, str) or not token or not _fits("renew_at", renew_at):
        return None
    return RefreshToken(token=token, renew_at=int(str(renew_at)))


def _record(kind: type[Record], row: object) -> Record | None:
    """Return a record if the row has exactly its fields, each of its type."""
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
