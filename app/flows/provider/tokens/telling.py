"""What an app is told of a person now: policy, account and groups are read anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.atproto.http.types import Deadline
from app.flows.errors import FlowError
from app.flows.provider.grants.records import LivingGrant
from app.flows.provider.policy import GroupsOf, JudgePolicy
from app.flows.provider.scopes import ClaimRules

PATIENCE: Final = 5.0
"""Seconds for the look-up of a handle that decides; the app waits meanwhile."""


class AccessLost(FlowError):
    """The account may not use the app any more; `str` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellApp:
    """Judges the policy of a living grant, and returns the claims of a scope."""

    judge: JudgePolicy
    groups: GroupsOf
    rules: ClaimRules

    def __call__(self, living: LivingGrant, scope: str) -> Mapping[str, Any]:
        """Return the claims, `sub` among them.

        Raises:
            AccessLost: the policy of the client does not let the account in, or its
                DID cannot be a `sub`.
            PolicyNotJudged: a handle decides that cannot be looked up now.
        """
        client, user = living.client, living.user
        verdict = self.judge(client.allow, user, deadline=Deadline.after(PATIENCE))
        if not verdict.is_allowed:
            raise AccessLost(verdict.why)
        words = scope.split()
        try:
            return self.rules.claims(
                user,
                scope if "openid" in words else f"openid {scope}",
                groups=self.groups.of(user.did) if "groups" in words else (),
                email=client.registration.email,
                handle=verdict.handle,
                handle_checked_at=verdict.handle_checked_at,
            )
        except ValueError as error:
            raise AccessLost(str(error)) from error
