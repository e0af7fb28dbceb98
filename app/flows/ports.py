"""Ports: the records of the use cases, and the Protocols of the stores that keep them.

Records are frozen; `app.stores` makes them from SQL rows. Times are epoch seconds.
Every method may raise `StorageFailed`, which says nothing about what is stored.
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
LimitKind = Literal[
    "address", "host", "call", "token", "refusal", "typing", "authorize", "client"
]
NativeDecision = Literal["pending", "completed", "denied"]
PendingFor = Literal["signup", "native"]
CallbackTurn = Literal["waits", "replay", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account of the platform: a DID with its username.

    `issuer` is the authorization server of the last sign-in; another one at the next
    sign-in means that the account has moved.
    """

    did: Did
    handle: Handle | None
    username: str
    created_at: float
    handle_checked_at: float
    disabled_at: float | None = None
    issuer: str | None = None
    username_changed_at: float | None = None
    """When the person last changed the username; changes of operators do not count."""
    display_name: str | None = None
    avatar_cid: str | None = None
    """With `display_name` from the profile record: the person's own words."""
    profile_checked_at: float | None = None
    email: str | None = field(default=None, repr=False)
    email_host: str | None = None
    """The PDS whose word `email` is."""
    email_confirmed_at: float | None = None
    """When that PDS last said that the person confirmed it; None if it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One person signed in on one device; the platform token names it by `sid`.

    `pending_for` is what the session waits for: the newcomer's username (`signup`), the
    confirmation of an app's login (`native`), or None; `destination` then says where
    its login leads (`Destination.pack`). `app_name` is the name of the native app that
    holds the session, None for a browser. `granted_scope` is what the host granted at
    the sign-in. `scope` and `issuer` are read from its OAuth session: what is granted
    now, None once that has ended. `login_id` is that of the log.
    """

    sid: str
    did: Did
    handle: Handle | None
    oauth_session_id: str | None
    device: str
    created_at: float
    seen_at: float
    expires_at: float
    pending_for: PendingFor | None = None
    destination: str | None = None
    app_name: str | None = None
    granted_scope: str | None = None
    scope: str | None = None
    issuer: str | None = None
    ended_at: float | None = None
    login_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeLogin:
    """A login that a native app waits for while its person is in a browser.

    `login_id` is the SHA-256 of the app's `await_secret`. `authorization_url` and
    `state` belong to the request that was pushed at the start, for the first visit of
    the link; a later visit starts again from `identifier`.
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
    log_id: str = ""
    """The login_id of the log; not the key of the row."""

    def is_open(self, now: float) -> bool:
        """Tell whether the login can be decided: pending and not expired."""
        return self.status == "pending" and now < self.expires_at


@dataclass(frozen=True, slots=True)
class DecidedLogin:
    """What an app that waits has to know of the decision on its native login."""

    login_id: str
    status: NativeDecision
    sid: str | None
    did: Did | None
    decided_at: float | None
    acknowledged_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A signing key and its place in its ring.

    A ring holds at most one active and one next key for each algorithm. A `next` key is
    published and does not sign yet, the `active` one signs, a `retired` one stays
    published while something that it signed may be valid (`flows.keys.life_cycle`).
    """

    kid: str
    ring: Ring
    alg: str
    status: KeyStatus
    key: SigningKey = field(repr=False)
    created_at: float
    activated_at: float | None = None
    retired_at: float | None = None


Together = Callable[[], AbstractContextManager[None]]
"""Makes one transaction of what the stores read and write in its block. An error in the
block undoes all of it. Nothing in it may wait for anything else."""


class Users(Protocol):
    """The accounts, one for each DID."""

    def get(self, did: Did) -> User | None:
        """Return the account of a DID, disabled ones too."""

    def taken(
        self, skeletons: Collection[str], *, but_for: Did | None = None
    ) -> frozenset[str]:
        """Return those of the skeletons that are taken, or held for a while.

        Names of the account of `but_for`, and holds for it, do not count.
        """

    def add(self, user: User, *, skeleton: str, invitation: str | None = None) -> User:
        """Create the account, or return the one that the DID has.

        The database decides when two people race for a name. `invitation` is the secret
        of one that a new account uses up, in the same transaction.

        Raises `UsernameTaken` when another DID has the skeleton or a hold is on it, and
        `InvitationEnded` when the invitation has no use left.
        """

    def note_sign_in(
        self, did: Did, *, handle: Handle | None, issuer: str, now: float
    ) -> None:
        """Note the issuer, and the handle as verified now; None if none verifies."""

    def note_handle(self, did: Did, *, handle: Handle | None, now: float) -> bool:
        """Note the handle as verified now; False if a later check is noted already."""

    def note_profile(
        self, did: Did, *, display_name: str | None, avatar_cid: str | None, now: float
    ) -> None:
        """Note what the profile record says; no effect without an account."""

    def note_email(
        self,
        did: Did,
        *,
        email: str | None,
        host: str | None,
        confirmed_at: float | None,
    ) -> None:
        """Note the address that a PDS names, or none; no effect without an account."""


class Sessions(Protocol):
    """The sign-in sessions; `get`, `by_secret` and `of` return live ones only."""

    def add(self, session: Session, *, secret: str) -> None:
        """Create the session; of the cookie's secret only a hash is stored."""

    def by_secret(self, secret: str) -> Session | None:
        """Return the session of a cookie; None if unknown, ended or expired."""

    def ended(self, secret: str) -> Session | None:
        """Return the session of a cookie if it has ended, until it is swept."""

    def get(self, sid: str) -> Session | None:
        """Return the session; None if unknown, ended or expired."""

    def of(self, did: Did) -> Sequence[Session]:
        """Return the account's live sessions, the last used first."""

    def beyond(self, did: Did, most: int) -> Sequence[str]:
        """Return the sids of the live sessions after the `most` that were used last."""

    def touch(self, sid: str, now: float) -> None:
        """Set `seen_at`, which never moves back."""

    def end(self, sid: str, now: float) -> bool:
        """End the session; True for the one caller that ended it."""

    def ended_after(
        self, second: int, sid: str, *, limit: int
    ) -> Sequence[tuple[str, int]]:
        """Return sid and `ended_at` of ended sessions after (second, sid), in order."""

    def lead_to(self, sid: str, destination: str) -> None:
        """Replace where a newcomer goes after the sign-up (`Destination.pack`)."""

    def finish_signup(self, sid: str, *, expires_at: float) -> None:
        """Clear `pending_for` and `destination`: the newcomer has an account."""

    def narrow(self, sid: str, *, former: str | None, granted: str) -> bool:
        """Replace `granted_scope` and let go of the grant; False if it is not `former`.

        No call uses the grant from then on: the caller or the sweep revokes it.
        """


class CallbackAnswers(Protocol):
    """The first answers of callbacks, for a browser that sends its callback twice.

    `secret` is the browser's flow secret: another browser gets nothing. An answer is
    text of the caller's, kept for two minutes and encrypted under the secret.
    """

    def look(self, state: str, secret: str, *, now: float) -> CallbackTurn:
        """Return how a repeated callback gets the first answer.

        `waits`: another request handles it now; look again. `replay`: `read` returns
        the answer. `unknown`: no request of this browser took an auth request of this
        state within RESERVATION seconds, or its answer is too old.
        """

    def keep(self, state: str, secret: str, answer: str, *, now: float) -> None:
        """Store the first answer, after the request that took the auth request.

        No effect if none did.
        """

    def read(self, state: str, secret: str, *, now: float) -> str | None:
        """Return the first answer, or None while there is none, or no longer."""


class NativeLogins(Protocol):
    """The native logins. Expired ones are returned until they are swept.

    Each is decided once, before it expires; a decision wakes its `NativeLoginEvents`.
    """

    def add(self, login: NativeLogin, *, open_secret: str) -> None:
        """Create the login; of the secret in its link only a hash is stored."""

    def get(self, login_id: str) -> NativeLogin | None:
        """Return the login of an app."""

    def by_open_secret(self, secret: str) -> NativeLogin | None:
        """Return the login that a link leads to."""

    def open(self, login_id: str, now: float) -> bool:
        """Note that the link was followed; True for the first caller only."""

    def complete(self, login_id: str, *, session: Session, now: float) -> bool:
        """Allow the app: the session is its own now, and no cookie opens it.

        Login and session change in one transaction. False if the login is decided or
        expired, or the session has ended.
        """

    def deny(self, login_id: str, now: float) -> bool:
        """Deny the app; False if the login is decided or expired."""

    def acknowledge(self, login_id: str, now: float) -> bool:
        """Note that the app has its token; True once, and only after `complete`."""


class Watched(Protocol):
    """A native login that a request waits for."""

    @property
    def decided(self) -> DecidedLogin | None:
        """The decision, once it was read for all that wait; None: read the login.

        A decision is never changed; whether the app has acknowledged its token may be.
        """


class NativeLoginEvents(Protocol):
    """Wakes waiting requests when any process decides a native login."""

    def watch(
        self, login_id: str, wake: Callable[[], None]
    ) -> AbstractContextManager[Watched]:
        """Call `wake` when the login may have changed, from any thread.

        Earlier changes are not reported: read the login once after entering.
        """

    def wake_all(self) -> None:
        """Wake all waiters of this process."""


class SigningKeys(Protocol):
    """The two key rings; private halves are encrypted at rest."""

    def list(self, ring: Ring) -> Sequence[StoredKey]:
        """Return the ring: active first, then next, then retired, newest first."""

    def change(
        self,
        ring: Ring,
        change: Callable[[Sequence[StoredKey]], Sequence[StoredKey]],
    ) -> Sequence[StoredKey]:
        """Replace the ring by what `change` returns for it, and return that.

        One transaction; no other change of a ring runs meanwhile. A key that is left
        out is deleted for good: raises `SigningKeyRefused` when it is added again. An
        exception of `change` leaves the ring as it was.
        """

    def is_former(self, thumbprint: str) -> bool:
        """Tell whether a key was in a ring and was deleted (RFC 7638 thumbprint)."""


class KeyUse(Protocol):
    """What the keys of the rings have signed: what ends when a key is dropped."""

    def pinned_sessions(self) -> Mapping[str, int]:
        """Return how many sessions at hosts are bound to each client key id."""

    def pinned_logins(self) -> Mapping[str, int]:
        """Return how many logins are under way with each client key id."""

    def live_sessions(
        self, *, begun_before: float, used_since: float, now: float
    ) -> int:
        """Count live sign-in sessions, each of which has at most one valid token."""


class RateLimit(Protocol):
    """Rate limits."""

    def hit(self, kind: LimitKind, key: str, *, times: float = 1) -> None:
        """Count one call; `times` multiplies the limit of this key.

        Raises `TooManyRequests` when the limit is reached.
        """

    def hit_all(self, kind: LimitKind, counted: Sequence[tuple[str, float]]) -> None:
        """Count one call under several keys, each with its multiple of the limit.

        Stops at the first key whose limit is reached, as calls of `hit` would, in one
        transaction where the storage has them. Raises `TooManyRequests`.
        """


class Audit(Protocol):
    """Audit events of accounts, sessions and keys; append-only."""

    def record(
        self,
        event: str,
        *,
        now: float,
        did: Did | None = None,
        sid: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Append one event; `detail` becomes JSON and holds no secret."""

    def record_each(
        self,
        event: str,
        sessions: Collection[tuple[Did, str]],
        *,
        now: float,
        detail: Mapping[str, object],
    ) -> None:
        """Append one event for each (DID, sid), in one transaction."""


class Runs(Protocol):
    """When the work of a timer last ended; named `sweep` or `backup`."""

    def note(self, name: str, now: float) -> None:
        """Note that a run has ended."""

    def last(self, name: str) -> float | None:
        """Return when a run of this name last ended, or None."""
