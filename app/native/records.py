"""What an app holds: a login that has started, and the session that comes of it.

The server's URL is part of both: a token without the service that it is for is not a
session, and neither is ever stored without the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStarted:
    """A login that waits for the person: open `oauth_url`, show `user_code`."""

    oauth_url: str = field(repr=False)
    """For the browser alone: whoever has it first can spoil the login."""
    session_id: str = field(repr=False)
    """The secret to await the login with."""
    user_code: str
    """Shown by the app, and compared by the person with the page in the browser."""
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeSession:
    """Who is signed in, where, and the platform token to send as a Bearer there."""

    server_url: str
    token: str = field(repr=False)
    did: str
    handle: str | None
    username: str
    expires_at: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """What a sign-out came to; on this machine nothing is left, whatever it says."""

    server_url: str | None = None
    """The session's service; None when nobody was signed in, or it was unreadable."""
    trouble: str | None = None
    """Why the service may still keep the session; None when it does not."""

    @property
    def is_ended(self) -> bool:
        """Tell whether the session is over at the service, too."""
        return self.trouble is None

    @property
    def account_page(self) -> str | None:
        """Return where the person ends a session that the service may still keep."""
        return self.server_url and f"{self.server_url}/auth/account"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLogin:
    """A login under way, as it is kept so that a crash loses nothing.

    `login_id` is ours: who stores something for this login compares it first. Between
    the first thought of a login and the service's answer there is no `session_id`.
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
        """Tell whether the service knows of it."""
        return bool(self.session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session together with the login that it came from."""

    session: NativeSession
    claimed_with: str
    """A hash of the login's session_id: awaiting it again finds this session."""


def hashed(session_id: str) -> str:
    """Return what may be kept of a session_id once it has served."""
    return hashlib.sha256(session_id.encode()).hexdigest()
