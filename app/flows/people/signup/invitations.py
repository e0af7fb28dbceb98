"""Invitations: links that let newcomers sign up, and the operator's commands for them.

The secret of a link is shown once, when it is made; only its hash is stored. A link is
used up by sign-ups, never by opening it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlencode

from app.flows.errors import InvitationUnknown
from app.flows.operator import Operator
from app.flows.ports import Audit

PATH: Final = "/auth/invitation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link for `uses` newcomers, of whom `used` have signed up."""

    invitation_id: str
    uses: int
    used: int
    created_by: str
    """The unix user."""
    created_at: float
    expires_at: float
    revoked_at: float | None = None


class Invitations(Protocol):
    """The invitations, by the hash of their secret."""

    def add(self, invitation: Invitation, *, secret: str) -> None:
        """Create the invitation; of its secret only a hash is stored."""

    def is_open(self, secret: str, now: float) -> bool:
        """Tell whether a newcomer may sign up with it: known, live, a use left."""

    def list(self) -> Sequence[Invitation]:
        """Return all that are stored, the newest first."""

    def revoke(self, invitation_id: str, now: float) -> bool:
        """End an invitation; False if it is unknown or revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """A new invitation with its link, which holds the secret."""

    invitation: Invitation
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageInvitations:
    """`invitations create | list | revoke`."""

    invitations: Invitations
    audit: Audit
    clock: Callable[[], float]
    public_url: str

    def create(self, *, uses: int, lifetime: float, by: Operator) -> Invited:
        """Make an invitation; its link is known to the caller alone."""
        now, secret = self.clock(), secrets.token_urlsafe(24)
        invitation = Invitation(
            invitation_id=secrets.token_hex(4),
            uses=uses,
            used=0,
            created_by=by.name,
            created_at=now,
            expires_at=now + lifetime,
        )
        self.invitations.add(invitation, secret=secret)
        self._record("invitation_created", invitation.invitation_id, by, uses=uses)
        query = urlencode({"code": secret})
        return Invited(invitation=invitation, link=f"{self.public_url}{PATH}?{query}")

    def list(self) -> Sequence[Invitation]:
        """Return the invitations, the newest first."""
        return self.invitations.list()

    def revoke(self, invitation_id: str, *, by: Operator) -> None:
        """End an invitation. Accounts that signed up with it stay.

        Raises:
            InvitationUnknown: it is unknown, or revoked already.
        """
        if not self.invitations.revoke(invitation_id, self.clock()):
            raise InvitationUnknown(invitation_id)
        self._record("invitation_revoked", invitation_id, by)

    def _record(self, event: str, which: str, by: Operator, **more: object) -> None:
        detail = {**by.as_detail(), "invitation": which, **more}
        self.audit.record(event, now=self.clock(), detail=detail)
