"""Accounts as services see them: username, DID, handle, and since when.

A signed-in person asks with a platform token, a service with its service key.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.flows.errors import CallMalformed, CallNotAllowed
from app.flows.ports import RateLimit, User
from app.flows.services.keys import ServiceAccess, is_service_key
from app.flows.sessions.session import Identify

MOST: Final = 100
"""Accounts of one request."""

LONGEST: Final = 2_048
"""Characters of a username or DID (the DID syntax has this limit)."""


class Accounts(Protocol):
    """Looks several accounts up at once."""

    def among(self, names: Collection[str]) -> Sequence[User]:
        """Return the accounts that are not disabled, by username or DID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpAccounts:
    """GET /auth/users: for services and pages in which a person is signed in."""

    identify: Identify
    accounts: Accounts
    rates: RateLimit
    services: ServiceAccess
    is_visible: bool
    """Whether USERS_VISIBLE lets signed-in people see accounts."""

    def __call__(
        self, names: Collection[str], *, tokens: Sequence[str], network: str
    ) -> Sequence[User]:
        """Return the accounts of usernames and DIDs; unknown and disabled ones are not.

        Raises:
            NotSignedIn, TokenInvalid, AccountDisabled: as `Identify`, of who asks.
            TooManyRequests: too many calls of this account.
            CallNotAllowed: USERS_VISIBLE is `none`, and a person asks.
            ServiceKeyInvalid, ServiceKeyLacksRight: as `ServiceAccess.require`.
            CallMalformed: more than `MOST` names, or a name that is too long.
        """
        self._admit(tokens, network)
        if len(names) > MOST or any(len(name) > LONGEST for name in names):
            raise CallMalformed(f"at most {MOST} usernames or DIDs")
        wanted = {name if name[:4] == "did:" else name.lower() for name in names}
        return self.accounts.among(wanted) if wanted else []

    def _admit(self, tokens: Sequence[str], network: str) -> None:
        if tokens and is_service_key(tokens[0]):
            self.services.require(tokens[0], "users", network=network)
            return
        asking = self.identify.first_of(tokens)
        self.rates.hit("call", asking.claims.did)
        if not self.is_visible:
            raise CallNotAllowed("USERS_VISIBLE is `none`")
