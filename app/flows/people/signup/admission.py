"""Who may join: SIGNUP_ALLOW, judged when a newcomer arrives and at the sign-up.

Accounts that exist are never judged. At the sign-up the handle is looked up again,
without caches and in both directions: who owns the name now decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self

from app.atproto.errors import AtprotoError, IdentifierInvalid
from app.atproto.http.types import Deadline
from app.atproto.syntax.grammar import Did, Handle, parse_did, parse_handle
from app.flows.errors import InvitationEnded, NotAMember

from .handle_domains import BELOW, is_below, parse_domain
from .invitations import Invitations

EVERYONE: Final = "everyone"
INVITED: Final = "invited"
CLOSED: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupRule:
    """Which accounts may sign up."""

    everyone: bool = False
    invited: bool = False
    """With an open invitation."""
    dids: frozenset[str] = frozenset()
    handles: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()
    """Every handle below one of these, at any depth, but not the domain itself."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read SIGNUP_ALLOW.

        Raises:
            ValueError: with the entry that is wrong.
        """
        if text in {EVERYONE, CLOSED}:
            return cls(everyone=text == EVERYONE)
        entries = {entry.strip() for entry in text.split(",")}
        return cls(
            invited=INVITED in entries,
            dids=frozenset(map(_did, _begun(entries, "did:"))),
            handles=frozenset(map(_handle, _begun(entries, "@"))),
            domains=tuple(sorted(map(_domain, _begun(entries, BELOW)))),
        )._complete(entries)

    @property
    def asks_for_handle(self) -> bool:
        """Whether a handle may decide."""
        return bool(self.handles or self.domains)

    def names(self, did: Did, handle: Handle | None) -> bool:
        """Tell whether the account is named: by DID, or by its verified handle."""
        if self.everyone or did in self.dids:
            return True
        if handle is None:
            return False
        return handle in self.handles or is_below(handle, self.domains)

    def _complete(self, entries: set[str]) -> Self:
        for entry in entries - {INVITED}:
            if not entry.startswith(("did:", "@", BELOW)):
                raise ValueError(
                    f"{entry!r} is none of {EVERYONE} (alone), {INVITED}, a DID, "
                    "@handle and *.example.org"
                )
        return self


class VerifiedHandles(Protocol):
    """The OAuth client, as far as it looks handles up."""

    def verified_handle(
        self, did: Did, *, deadline: Deadline, matters: Callable[[Handle], bool]
    ) -> Handle | None:
        """Return the handle of an account, verified now in both directions, or None.

        One for which `matters` returns false is not looked up, and counts as none.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Judges newcomers."""

    rule: SignupRule
    invitations: Invitations
    handles: VerifiedHandles
    clock: Callable[[], float]

    @property
    def is_open(self) -> bool:
        """Whether everyone may sign up."""
        return self.rule.everyone

    def open_invitation(self, secret: str) -> None:
        """Check the link of an invitation; opening it uses nothing up.

        Raises:
            InvitationEnded: it is unknown, used up, revoked or expired.
        """
        if not self.invitations.is_open(secret, self.clock()):
            raise InvitationEnded("the link of no open invitation")

    def expect(
        self,
        did: Did,
        handle: Handle | None,
        *,
        invitation: str | None,
        deadline: Deadline,
    ) -> None:
        """Return if the sign-up of a newcomer is likely to be allowed.

        `handle` was verified in this login, which is enough to go on with.

        Raises what `judge` raises.
        """
        if not self.rule.names(did, handle):
            self.judge(did, invitation=invitation, deadline=deadline)

    def judge(
        self, did: Did, *, invitation: str | None, deadline: Deadline
    ) -> str | None:
        """Return the invitation that the sign-up uses up; None if it needs none.

        Raises:
            NotAMember: SIGNUP_ALLOW does not name the account, and there is no open
                invitation that counts.
            AtprotoError: the look-up failed, and it would have decided.
        """
        if self.rule.names(did, None):
            return None
        usable = self._usable(invitation)
        if self.rule.asks_for_handle and self._is_named(did, deadline, usable):
            return None
        if usable is None:
            raise NotAMember(did)
        return usable

    def _is_named(self, did: Did, deadline: Deadline, usable: str | None) -> bool:
        try:
            handle = self.handles.verified_handle(
                did,
                deadline=deadline,
                matters=lambda handle: self.rule.names(did, handle),
            )
            return handle is not None
        except AtprotoError:
            if usable is None:
                raise
            return False  # the invitation is enough

    def _usable(self, invitation: str | None) -> str | None:
        if invitation is None or not self.rule.invited:
            return None
        is_open = self.invitations.is_open(invitation, self.clock())
        return invitation if is_open else None


def _begun(entries: set[str], beginning: str) -> list[str]:
    return [entry for entry in entries if entry.startswith(beginning)]


def _did(entry: str) -> str:
    try:
        return parse_did(entry, allow_localhost=True, allow_test=True)
    except IdentifierInvalid as error:
        raise ValueError(f"{entry!r}: {error}") from error


def _handle(entry: str) -> str:
    try:
        return parse_handle(entry.removeprefix("@"))
    except IdentifierInvalid as error:
        raise ValueError(f"{entry!r}: {error}") from error


def _domain(entry: str) -> str:
    try:
        return parse_domain(entry)
    except IdentifierInvalid as error:
        raise ValueError(f"{entry!r}: {error}") from error
