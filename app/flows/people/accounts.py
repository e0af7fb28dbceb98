"""Manage accounts: the operator's `users list | show | disable | enable | rename`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.atproto.syntax.grammar import Did
from app.flows.operator import Operator
from app.flows.ports import Audit, Together, User

from .sessions import Ended, ManageSessions
from .signup.usernames import parse_username

STEP: Final = 500
"""Accounts that one statement reads."""


class EndGrants(Protocol):
    """Ends what an account lets OAuth clients have."""

    def __call__(self, *, did: Did, by: Operator) -> int:
        """End all grants of an account; return how many."""


class Accounts(Protocol):
    """The accounts, as an operator changes them."""

    def search(
        self, text: str, *, only_disabled: bool, after: str, limit: int
    ) -> Sequence[User]:
        """Return accounts by username, those after a name.

        `text` is a part of the username or the handle, or the whole DID; "" is in all.
        """

    def disable(self, did: Did, now: float) -> bool:
        """Disable the account; False if it is disabled or gone."""

    def enable(self, did: Did, now: float) -> bool:
        """Enable the account; False if it is enabled or gone."""

    def rename(
        self, user: User, username: str, *, skeleton: str, now: float, held_until: float
    ) -> None:
        """Give the account another username, and put a hold on the former one.

        The account itself may take a name back that is held for it. Raises
        `UsernameTaken` when another account has the skeleton or a hold is on it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageAccounts:
    """`users list | disable | enable | rename`; `FindAccount` finds the account."""

    accounts: Accounts
    sessions: ManageSessions
    end_grants: EndGrants
    audit: Audit
    together: Together
    clock: Callable[[], float]
    username_hold: float
    """Seconds for which a former username is held."""

    def search(self, text: str, *, only_disabled: bool = False) -> Iterator[User]:
        """Yield accounts by username; `text` as `Accounts.search` takes it."""
        after = ""
        while True:
            step = self.accounts.search(
                text, only_disabled=only_disabled, after=after, limit=STEP
            )
            yield from step
            if len(step) < STEP:
                return
            after = step[-1].username

    def disable(self, user: User, *, by: Operator) -> Ended:
        """Disable an account, end its sessions and grants, deny apps that wait for it.

        It is disabled first, so that no sign-in adds a session after the others ended.
        Sessions are revoked at hosts, each by itself. Repeated, it ends those that an
        interrupted call has left.
        """
        with self.together():
            if self.accounts.disable(user.did, self.clock()):
                self._record("account_disabled", user.did, by)
            self.end_grants(did=user.did, by=by)
        return self.sessions.end_of(user.did, by=by)

    def enable(self, user: User, *, by: Operator) -> bool:
        """Enable an account again; False if it is enabled.

        What a sign-in stored while the account was being disabled ends first.
        """
        if user.disabled_at is None:
            return False
        self.sessions.end_of(user.did, by=by)
        with self.together():
            self.end_grants(did=user.did, by=by)
            is_changed = self.accounts.enable(user.did, self.clock())
            if is_changed:
                self._record("account_enabled", user.did, by)
        return is_changed

    def rename(self, user: User, name: str, *, by: Operator) -> str:
        """Give an account another username, reserved ones too; return it as stored.

        Tokens show the former name until they are renewed.

        Raises:
            UsernameInvalid: it breaks the grammar.
            UsernameTaken: another account has it or a name like it, or it is held.
        """
        wanted = parse_username(name)
        if wanted.username != user.username:
            now = self.clock()
            self.accounts.rename(
                user,
                wanted.username,
                skeleton=wanted.skeleton,
                now=now,
                held_until=now + self.username_hold,
            )
            names = {"from": user.username, "to": wanted.username}
            self._record("username_changed", user.did, by, **names)
        return wanted.username

    def _record(self, event: str, did: Did, by: Operator, **more: object) -> None:
        detail = {**by.as_detail(), **more}
        self.audit.record(event, now=self.clock(), did=did, detail=detail)
