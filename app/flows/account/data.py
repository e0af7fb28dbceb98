"""Download what is stored about an account, as JSON without secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.atproto.syntax.grammar import Did
from app.flows.limits.networks import hit_networks, network_of
from app.flows.ports import RateLimit, Sessions, Users
from app.flows.sessions.signed_in import account_of

MOST_ROWS: Final = 5_000
"""Rows of one table in a download, the latest first."""

Row = Mapping[str, object]


class StoredData(Protocol):
    """Reads the rows of an account from every table, without secrets and hashes."""

    def of(self, did: Did, *, limit: int) -> Mapping[str, Sequence[Row]]:
        """Return at most `limit` rows of each kind, the latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadData:
    """POST /auth/account/data."""

    sessions: Sessions
    users: Users
    stored: StoredData
    limits: RateLimit
    clock: Callable[[], float]

    def __call__(self, secret: str | None, *, address: str) -> dict[str, object]:
        """Return what is stored about the account of a session.

        `cut` names the kinds that have more rows than `MOST_ROWS`.

        Raises:
            NotSignedIn, AccountDisabled: as `account_of` does.
            TooManyRequests: the limit of this address is reached.
        """
        _, user = account_of(secret, sessions=self.sessions, users=self.users)
        hit_networks(self.limits, "address", network_of(address))
        found = self.stored.of(user.did, limit=MOST_ROWS + 1)
        kept = {kind: [dict(row) for row in rows] for kind, rows in found.items()}
        cut = sorted(kind for kind, rows in kept.items() if len(rows) > MOST_ROWS)
        return {
            "did": user.did,
            "made_at": int(self.clock()),
            "cut": cut,
            **{kind: rows[:MOST_ROWS] for kind, rows in kept.items()},
        }
