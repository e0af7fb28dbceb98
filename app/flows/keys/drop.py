"""Drop a key that may have leaked: gone in every process within ten seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.flows.errors import SigningKeyRefused
from app.flows.operator import Operator
from app.flows.ports import KeyStatus, KeyUse, Ring, StoredKey

from .change import ChangeRing
from .life_cycle import (
    RETIRED_MARGIN,
    activated,
    current,
    new_key,
    tokens_end_at,
    waiting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What ends when a key is dropped."""

    status: KeyStatus
    tokens: int
    """Platform tokens that services refuse from then on, at most."""
    sessions: int
    """Sessions at hosts that are bound to the client key (requirement 7.3)."""
    logins: int
    """Logins under way that are bound to the client key."""
    needs_successor: bool
    """The key signs: another one signs at once, before every cache knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropKey:
    """`keys drop`: delete a key at once, although things it signed are still valid."""

    change: ChangeRing
    use: KeyUse
    algorithms: Mapping[Ring, Sequence[Algorithm]]
    token_lifetime: float

    def consequences(self, ring: Ring, kid: str) -> Consequences:
        """Return what ends when the key is dropped now.

        Raises:
            SigningKeyRefused: the ring has no such key.
        """
        stored = current(self.change.keys.list(ring), self.change.clock())
        key = _find(stored, ring, kid)
        is_client = ring == "client"
        return Consequences(
            status=key.status,
            tokens=self._tokens(key),
            sessions=self.use.pinned_sessions().get(kid, 0) if is_client else 0,
            logins=self.use.pinned_logins().get(kid, 0) if is_client else 0,
            needs_successor=key.status == "active" and self._is_in_use(key),
        )

    def __call__(self, ring: Ring, kid: str, *, operator: Operator) -> Consequences:
        """Delete the key and return what ended.

        If it signed, the next key signs now, or a new one where none waits. The key
        never joins a ring again.

        Raises:
            SigningKeyRefused: the ring has no such key.
        """
        ends = self.consequences(ring, kid)
        now = self.change.clock()
        # Made before the transaction: an RSA key takes a while.
        spare = self._spare(ring, kid) if ends.needs_successor else None

        def dropped(stored: Sequence[StoredKey]) -> Sequence[StoredKey]:
            key = _find(stored, ring, kid)
            rest = [one for one in stored if one is not key]
            if key.status != "active" or not self._is_in_use(key):
                return rest
            following = waiting(rest, key.alg) or spare
            if following is None:
                raise SigningKeyRefused("the ring has changed meanwhile; try again")
            others = [one for one in rest if one is not following]
            return activated([*others, following], following, at=now)

        counts = {
            name: getattr(ends, name) for name in ("tokens", "sessions", "logins")
        }
        self.change(ring, dropped, detail={**operator.as_detail(), **counts})
        return ends

    def _is_in_use(self, key: StoredKey) -> bool:
        return key.alg in self.algorithms.get(key.ring, ())

    def _spare(self, ring: Ring, kid: str) -> StoredKey:
        dropped = _find(self.change.keys.list(ring), ring, kid)
        key = SigningKey.generate(dropped.key.alg)
        return new_key(ring, key, "next", now=self.change.clock())

    def _tokens(self, key: StoredKey) -> int:
        """Count the live sessions whose token the key may have signed."""
        now = self.change.clock()
        if key.ring != "platform" or key.activated_at is None:
            return 0
        end = tokens_end_at(key, self.token_lifetime)
        if end is not None and end <= now:
            return 0
        until = now if key.retired_at is None else key.retired_at
        return self.use.live_sessions(
            begun_before=until + RETIRED_MARGIN, used_since=key.activated_at, now=now
        )


def _find(stored: Sequence[StoredKey], ring: Ring, kid: str) -> StoredKey:
    for key in stored:
        if key.kid == kid:
            return key
    raise SigningKeyRefused(f"the {ring} ring has no key {kid}")
