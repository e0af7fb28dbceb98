"""WHO of the operator's commands: an account by username, `@handle` or DID."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.atproto.errors import IdentifierInvalid
from app.atproto.syntax.grammar import Did, Handle, parse_did
from app.flows.errors import AccountUnknown, WhoAmbiguous
from app.flows.ports import User


class Directory(Protocol):
    """Looks accounts up, disabled ones too."""

    def by_did(self, did: Did) -> User | None:
        """Return the account of a DID."""

    def by_username(self, username: str) -> User | None:
        """Return the account with a username, in lower case."""

    def by_handle(self, handle: Handle) -> Sequence[User]:
        """Return the accounts whose handle was noted at their last sign-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindAccount:
    """Finds whom an operator means. Asks nothing outside of the database.

    A handle is the one that was verified at the account's last sign-in. It may have
    gone to another person since, so two accounts with one handle are refused.
    """

    directory: Directory

    def __call__(self, who: str) -> User:
        """Return the account.

        Raises:
            AccountUnknown: no account has this name, handle or DID.
            WhoAmbiguous: several accounts were last seen with this handle.
        """
        text = who.strip()
        if text.startswith("did:"):
            user = self.directory.by_did(_did(text))
        elif text.startswith("@"):
            user = self._by_handle(Handle(text[1:].lower()))
        else:
            user = self.directory.by_username(text.lower())
        if user is None:
            raise AccountUnknown(text)
        return user

    def did(self, who: str) -> Did:
        """Return the DID; one without an account here as well, if it is given as a DID.

        Raises what the call raises.
        """
        text = who.strip()
        return _did(text) if text.startswith("did:") else self(text).did

    def _by_handle(self, handle: Handle) -> User | None:
        found = self.directory.by_handle(handle)
        if len(found) > 1:
            raise WhoAmbiguous(f"@{handle}", [user.did for user in found])
        return found[0] if found else None


def _did(text: str) -> Did:
    try:
        return parse_did(text, allow_localhost=True, allow_test=True)
    except IdentifierInvalid as error:
        raise AccountUnknown(text) from error
