"""What the use cases keep, and the Protocols of who keeps it.

Records are frozen; SQL rows become records at the edge of `app.stores` and nowhere
else. Times are epoch seconds. Every method may raise `StorageFailed`: an outage is our
own fault, and no flow takes it for an absence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from app.atproto.crypto.keys import SigningKey
from app.atproto.syntax.grammar import Did, Handle

Ring = Literal["platform", "client"]
KeyStatus = Literal["next", "active", "retired"]
LimitKind = Literal["address", "host", "call", "token"]
NativeDecision = Literal["pending", "completed", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account of the platform: a DID that picked a username, once.

    `issuer` is whose word the last sign-in was: another one the next time is a move.
    """

    did: Did
    handle: Handle | None
    username: str
    created_at: float
    handle_checked_at: float
    disabled_at: float | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One person signed in on one device; the platform token names it by `sid`.

    `destination` is what its login is still for: a newcomer's way on once a username
    is picked, or the app that its person has not let in yet. `app_name` is what the
    app that holds the session calls itself; a browser's has none. `granted_scope` is
    what the host granted at the sign-in and stays; `scope` and `issuer` are read with
    the session: what is granted now and by whom, None when that is over.
    """

    sid: str
    did: Did
    handle: Handle | None
    oauth_session_id: str | None
    device: str
    created_at: float
    seen_at: float
    expires_at: float
    destination: str | None = None
    app_name: str | None = None
    granted_scope: str | None = None
    scope: str | None = None
    issuer: str | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeLogin:
    """A login that an app awaits while its person is in a browser.

    `login_id` is the SHA-256 of the secret that the app holds. `authorization_url` and
    `state` are those of the request that was pushed when the login began; they serve
    the first visit of the link, and a later one starts again from `identifier`.
    """

    login_id: str
    app_name: str
    user_code: str
    code_challenge: str | None
    identifier: str = field(repr=False)
    authorization_url: str = field(repr=False)
    state: str = field(repr=False)
    created_at: float
    expires_at: float
    status: NativeDecision = "pending"
    sid: str | None = None
    did: Did | None = None
    opened_at: float | None = None
    decided_at: float | None = None
    acknowledged_at: float | None = None

    def is_open(self, now: float) -> bool:
        """Tell whether it may still be decided."""
        return self.status == "pending" and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A signing key and its place in its ring.

    A ring holds at most one active and one next key for each algorithm. `next` is
    published and does not sign yet, `active` signs, `retired` is published as long as
    something it signed may still be about.
    """

    kid: str
    ring: Ring
    alg: str
    status: KeyStatus
    key: SigningKey = field(repr=False)
    created_at: float
    activated_at: float | None = None
    retired_at: float | None = None


class Users(Protocol):
    """The accounts, one for each DID."""

    def get(self, did: Did) -> User | None:
        """Return the account of a DID, disabled ones too."""

    def taken(self, skeletons: Collection[str]) -> frozenset[str]:
        """Return those of the skeletons that belong to somebody."""

    def add(self, user: User, *, skeleton: str) -> User:
        """Create the account, or return the one that the DID has already.

        Decided by the database, so that of two people racing for a name one gets it.
        Raises `UsernameTaken` when another DID has the skeleton.
        """

    def note_sign_in(
        self, did: Did, *, handle: Handle | None, issuer: str, now: float
    ) -> None:
        """Note the issuer, and the handle as verified now: None when none holds."""


class Sessions(Protocol):
    """The sign-in sessions. `get` and `by_secret` see live ones only."""

    def add(self, session: Session, *, secret: str) -> None:
        """Create the session; of the cookie's secret only a hash is kept."""

    def by_secret(self, secret: str) -> Session | None:
        """Return the session of a cookie, unless it is unknown, ended or expired."""

    def get(self, sid: str) -> Session | None:
        """Return the session, unless it is unknown, ended or expired."""

    def of(self, did: Did) -> Sequence[Session]:
        """Return the account's live sessions, the one used last first."""

    def touch(self, sid: str, now: float) -> None:
        """Note that the session was used; a live session only moves forward."""

    def end(self, sid: str, now: float) -> bool:
        """End the session; False when it was not live. Only one caller hears True."""

    def finish_signup(self, sid: str) -> None:
        """Clear the destination: the newcomer has an account now."""


class NativeLogins(Protocol):
    """The logins that apps await. Expired ones are returned until they are swept.

    A decision is taken once, before the login expires, and whoever watches the login
    hears of it.
    """

    def add(self, login: NativeLogin, *, open_secret: str) -> None:
        """Create the login; of the secret in its link only a hash is kept."""

    def get(self, login_id: str) -> NativeLogin | None:
        """Return the login of an app."""

    def by_open_secret(self, secret: str) -> NativeLogin | None:
        """Return the login that a link leads to."""

    def open(self, login_id: str, now: float) -> bool:
        """Note that the link was followed; only the first caller hears True."""

    def complete(self, login_id: str, *, session: Session, now: float) -> bool:
        """Let the app in: `session` is its own from now on, and nobody's cookie.

        Login and session change together or not at all; False when the login was
        decided already, is over, or the session has ended.
        """

    def deny(self, login_id: str, now: float) -> bool:
        """Keep the app out; False when the login was decided already, or is over."""

    def acknowledge(self, login_id: str, now: float) -> bool:
        """Note that the app has its token; False unless it was let in, once."""


class NativeLoginEvents(Protocol):
    """Who hears that a native login was decided, by whichever process."""

    def watch(
        self, login_id: str, wake: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Call `wake` whenever it may be worth looking at the login again.

        From any thread, and perhaps for nothing; look once after entering, because
        what happened before is not told.
        """

    def wake_all(self) -> None:
        """Wake everybody who watches in this process."""


class SigningKeys(Protocol):
    """The two key rings; private halves are encrypted at rest."""

    def list(self, ring: Ring) -> Sequence[StoredKey]:
        """Return the ring: active first, then next, then retired, newest first."""

    def add(self, stored: StoredKey) -> bool:
        """Create-only; False when the place or the key id is occupied already."""


class RateLimit(Protocol):
    """How often something may be tried."""

    def hit(self, kind: LimitKind, key: str) -> None:
        """Count one try. Raises `TooManyRequests` when there were too many."""


class Audit(Protocol):
    """What happened to accounts, sessions and keys; append-only."""

    def record(
        self,
        event: str,
        *,
        now: float,
        did: Did | None = None,
        sid: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Append one event. `detail` is JSON and holds no secret."""
