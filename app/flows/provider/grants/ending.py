"""What ends grants: an operator, a client that is closed, an account that is disabled.

A grant without `offline_access` also ends with its session, without a write: each look
at a grant reads its session (`Grants.living`). A new sign-in of the same person in the
same browser moves the grants instead, so that `prompt=login` in one app signs the
person out of no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.atproto.syntax.grammar import Did
from app.flows.errors import GrantUnknown
from app.flows.operator import Operator
from app.flows.ports import Audit, Session, Together

from .ports import Grants
from .records import Grant, ListedGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveGrants:
    """Moves the grants of a session that a new sign-in replaces."""

    grants: Grants

    def __call__(self, former: Session, session: Session) -> int:
        """Bind them to the new session; those of another account stay, and end.

        Called before the former session ends, so that no grant is without a session.
        """
        if former.did != session.did:
            return 0
        return self.grants.move(former.sid, session.sid, expires_at=session.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageGrants:
    """`grants list | end`, and the last step of `clients disable | remove`."""

    grants: Grants
    audit: Audit
    together: Together
    clock: Callable[[], float]

    def list(
        self, *, did: Did | None = None, client_id: str | None = None
    ) -> Sequence[ListedGrant]:
        """Return the living grants of an account, a client, both, or of all."""
        return self.grants.list(did=did, client_id=client_id, now=self.clock())

    def end_one(self, grant_id: str, *, by: Operator) -> Grant:
        """End one grant with its tokens.

        Raises:
            GrantUnknown: none has this id, or it has ended.
        """
        with self.together():
            grant = self.grants.end(grant_id)
            if grant is None:
                raise GrantUnknown(grant_id)
            self._record([grant], by)
        return grant

    def end_all(
        self, *, did: Did | None = None, client_id: str | None = None, by: Operator
    ) -> int:
        """End the grants of an account, a client, or both; return how many."""
        with self.together():
            ended = self.grants.end_all(did=did, client_id=client_id)
            self._record(ended, by)
        return len(ended)

    def _record(self, ended: Sequence[Grant], by: Operator) -> None:
        for client_id in sorted({grant.client_id for grant in ended}):
            self.audit.record_each(
                "grant_ended",
                [
                    (one.did, one.session_id)
                    for one in ended
                    if one.client_id == client_id
                ],
                now=self.clock(),
                detail={**by.as_detail(), "client": client_id},
            )
