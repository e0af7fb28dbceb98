"""The outcome of a native login, and of a refresh: what an app gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from app.atproto.syntax.grammar import Did, Handle
from app.flows.sessions.session import SignedIn

NativeStatus = Literal["pending", "completed", "denied", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeOutcome:
    """How a native login stands.

    `expires_in` is in seconds: of the token when completed, of the login while pending.
    `refresh_expires_in` are the seconds for which the person's approval lasts.
    """

    status: NativeStatus
    token: str | None = field(default=None, repr=False)
    did: Did | None = None
    handle: Handle | None = None
    username: str | None = None
    expires_in: int | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_in: int | None = None

    def document(self) -> dict[str, object]:
        """Return the JSON object of the HTTP interface."""
        if self.status != "completed":
            return {"status": self.status}
        return {
            "status": self.status,
            "token": self.token,
            "did": self.did,
            "handle": self.handle,
            "username": self.username,
            "expires_in": self.expires_in,
            "refresh_token": self.refresh_token,
            "refresh_expires_in": self.refresh_expires_in,
        }


DENIED = NativeOutcome(status="denied")
EXPIRED = NativeOutcome(status="expired")


def completed(
    signed_in: SignedIn, *, refresh_token: str, expires_in: int, now: float
) -> NativeOutcome:
    """Return the outcome with the tokens of a session; expired without an account."""
    user, session = signed_in.user, signed_in.session
    if user is None or signed_in.token is None:
        return EXPIRED
    return NativeOutcome(
        status="completed",
        token=signed_in.token,
        did=user.did,
        handle=user.handle,
        username=user.username,
        expires_in=expires_in,
        refresh_token=refresh_token,
        refresh_expires_in=max(1, int(session.expires_at - now)),
    )
