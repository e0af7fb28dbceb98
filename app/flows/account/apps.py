"""The apps that a person signed in to through the platform, and their removal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.atproto.syntax.grammar import Did
from app.flows.ports import Audit, Sessions, Together, Users
from app.flows.provider.grants.ports import Consents, Grants
from app.flows.provider.grants.records import App
from app.flows.sessions.signed_in import account_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnApps:
    """The list of apps on the account page, and POST /auth/account/apps."""

    sessions: Sessions
    users: Users
    grants: Grants
    consents: Consents
    audit: Audit
    together: Together
    clock: Callable[[], float]

    def list(self, did: Did) -> Sequence[App]:
        """Return the apps that a person allowed or is signed in to, by name."""
        return self.consents.apps(did, now=self.clock())

    def remove(self, secret: str | None, client_id: str | None) -> int:
        """Remove one app of the person, or all; return how many were removed.

        Its grants end with their tokens, and the consent is taken back, in one
        transaction: the app has to ask again.

        Raises:
            NotSignedIn, AccountDisabled: as `account_of` does.
        """
        session, user = account_of(secret, sessions=self.sessions, users=self.users)
        now = self.clock()
        with self.together():
            ended = self.grants.end_all(did=user.did, client_id=client_id)
            allowed = self.consents.withdraw(user.did, client_id=client_id)
            removed = sorted({*(grant.client_id for grant in ended), *allowed})
            for each in removed:
                self.audit.record(
                    "app_removed",
                    now=now,
                    did=user.did,
                    sid=session.sid,
                    detail={"client": each},
                )
        return len(removed)
