"""Verify the handle of an account now, in both directions (requirement 2.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.atproto.client import OAuthClient
from app.atproto.http.types import Deadline
from app.atproto.syntax.grammar import Handle
from app.flows.limits.host_limits import login_from
from app.flows.limits.networks import hit_networks, network_of
from app.flows.ports import Audit, RateLimit, Sessions, Users
from app.flows.sessions.signed_in import account_of

LOOK_UP_BUDGET = 7.0
"""Seconds for DNS, the directory and the handle's host together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyHandle:
    """POST /auth/account/handle."""

    sessions: Sessions
    users: Users
    client: OAuthClient
    limits: RateLimit
    audit: Audit
    clock: Callable[[], float]

    def __call__(self, secret: str | None, *, address: str) -> Handle | None:
        """Look the handle up, store it and return it; None if none verifies.

        A look-up that fails changes nothing: there may be a handle.

        Raises:
            NotSignedIn, AccountDisabled: as `account_of` does.
            TooManyRequests: the limit of this address is reached.
            AtprotoError: the look-up failed.
        """
        session, user = account_of(secret, sessions=self.sessions, users=self.users)
        network, began = network_of(address), self.clock()
        hit_networks(self.limits, "address", network)
        with login_from(network):
            handle = self.client.verified_handle(
                user.did, deadline=Deadline.after(LOOK_UP_BUDGET)
            )
        is_noted = self.users.note_handle(user.did, handle=handle, now=began)
        if is_noted and handle != user.handle:
            self.audit.record(
                "handle_changed",
                now=self.clock(),
                did=user.did,
                sid=session.sid,
                detail={"from": user.handle, "to": handle},
            )
        return handle
