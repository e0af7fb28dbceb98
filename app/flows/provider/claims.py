"""Claims that a client would get about an account, or why its policy refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.atproto.http.types import Deadline
from app.atproto.syntax.grammar import Did
from app.flows.people.who import FindAccount
from app.flows.ports import User

from .clients import LOOK_UP, ManageClients
from .policy import GroupsOf, JudgePolicy, Verdict
from .registration import Client
from .scopes import ClaimRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answer of `clients claims`."""

    did: Did
    username: str
    is_allowed: bool
    why: str
    claims: Mapping[str, Any]
    """Of the whole registered scope; empty if the account is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClaims:
    """`clients claims ID USERNAME`."""

    clients: ManageClients
    find: FindAccount
    judge: JudgePolicy
    groups: GroupsOf
    rules: ClaimRules

    def __call__(self, client_id: str, who: str) -> Told:
        """Return what the client would be told, judged now.

        Raises:
            ClientUnknown: there is no such client.
            AccountUnknown, WhoAmbiguous: as `FindAccount`.
            PolicyNotJudged: the handle could not be looked up, and would decide.
        """
        client, user = self.clients.get(client_id), self.find(who)
        if client.disabled_at is not None:
            return _closed(user, "the client is disabled")
        if user.disabled_at is not None:
            return _closed(user, "the account is disabled")
        verdict = self.judge(client.allow, user, deadline=Deadline.after(LOOK_UP))
        if not verdict.is_allowed:
            return _closed(user, verdict.why)
        try:
            claims = self._claims(client, user, verdict)
        except ValueError as error:
            return _closed(user, str(error))
        return Told(
            did=user.did,
            username=user.username,
            is_allowed=True,
            why=verdict.why,
            claims=claims,
        )

    def _claims(self, client: Client, user: User, verdict: Verdict) -> dict[str, Any]:
        return self.rules.claims(
            user,
            client.registration.scope,
            groups=self.groups.of(user.did),
            email=client.registration.email,
            handle=verdict.handle,
            handle_checked_at=verdict.handle_checked_at,
        )


def _closed(user: User, why: str) -> Told:
    return Told(
        did=user.did, username=user.username, is_allowed=False, why=why, claims={}
    )
