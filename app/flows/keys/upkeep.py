"""Upkeep of the key rings by the sweep: store what is due, delete, rotate by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.flows.ports import KeyUse, Ring, StoredKey

from .change import ChangeRing
from .life_cycle import (
    ID_TOKEN_ALGORITHM,
    RINGS,
    active,
    current,
    is_over,
    ordered,
    waiting,
)
from .prepare import joined


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUpkeep:
    """Keeps both rings; the lease of the sweep lets one node do so at a time."""

    change: ChangeRing
    use: KeyUse
    algorithms: Mapping[Ring, Sequence[Algorithm]]
    token_lifetime: float
    rotation: float | None = None
    """Seconds after which a key that signs is rotated (KEY_ROTATION); None: never."""
    makes_id_token_key: bool = False
    """Whether the platform ring gets an RS256 key beside its own if it has none: an
    upgrade finds the ring of a release that signed no id_tokens."""

    def __call__(self) -> int:
        """Return how many keys were added, activated or deleted."""
        return sum(map(self._keep, RINGS))

    def _keep(self, ring: Ring) -> int:
        before = self.change.keys.list(ring)
        now = self.change.clock()
        over = self._over(current(before, now), now)
        spares = self._spares(ring, current(before, now))

        def kept(ring_now: Sequence[StoredKey]) -> Sequence[StoredKey]:
            rest: Sequence[StoredKey] = [k for k in ring_now if k.kid not in over]
            for spare in spares:
                if self._is_wanted(ring, spare.alg, rest):
                    rest = joined(rest, ring, spare, now=now)
            return rest

        if kept(current(before, now)) == ordered(before):
            return 0
        return _changes(before, self.change(ring, kept))

    def _over(self, ring_now: Sequence[StoredKey], now: float) -> Collection[str]:
        """Return the ids of the keys of which nothing can be valid any more."""

        def over(pinned: Collection[str]) -> Collection[str]:
            return {
                one.kid
                for one in ring_now
                if is_over(one, now, token_lifetime=self.token_lifetime, pinned=pinned)
            }

        # What is bound to client keys is counted only where one might be deleted.
        if not over(()):
            return ()
        return over({*self.use.pinned_sessions(), *self.use.pinned_logins()})

    def _spares(self, ring: Ring, stored: Sequence[StoredKey]) -> list[SigningKey]:
        """Return a new key for each algorithm of the ring that is due."""
        return [
            SigningKey.generate(alg)
            for alg in self.algorithms.get(ring, ())
            if self._is_wanted(ring, alg, stored)
        ]

    def _is_wanted(
        self, ring: Ring, alg: Algorithm, stored: Sequence[StoredKey]
    ) -> bool:
        if waiting(stored, alg) is not None:
            return False
        if ring == "platform" and alg == ID_TOKEN_ALGORITHM and self.makes_id_token_key:
            return active(stored, alg) is None or self._is_due(alg, stored)
        return self._is_due(alg, stored)

    def _is_due(self, alg: Algorithm, stored: Sequence[StoredKey]) -> bool:
        """Tell whether KEY_ROTATION asks for a next key."""
        if self.rotation is None:
            return False
        signing = active(stored, alg)
        if signing is None:
            return False
        began = signing.activated_at or signing.created_at
        return began + self.rotation <= self.change.clock()


def _changes(before: Sequence[StoredKey], after: Sequence[StoredKey]) -> int:
    """Count the keys that were added, that began to sign, and that are gone."""
    former = {key.kid: key.status for key in before}
    begun = sum(
        key.status != "retired" and key.status != former.get(key.kid) for key in after
    )
    return begun + len(former.keys() - {key.kid for key in after})
