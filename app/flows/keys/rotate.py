"""Rotate a key ring: publish a next key, made or imported, that signs by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.flows.errors import SigningKeyRefused
from app.flows.operator import Operator
from app.flows.ports import Ring, StoredKey

from .change import ChangeRing
from .life_cycle import RINGS, activated, active, holds, signs_at, waiting
from .prepare import joined, parse_signing_key


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKeys:
    """`keys rotate` and `keys import`."""

    change: ChangeRing
    algorithms: Mapping[Ring, Sequence[Algorithm]]
    """The algorithms that this deployment signs with; the first is the ring's own."""

    def rotate(
        self,
        ring: Ring,
        *,
        at_once: bool,
        operator: Operator,
        alg: Algorithm | None = None,
    ) -> StoredKey:
        """Publish a next key and return it; with `at_once` it signs now.

        `at_once` takes the next key that waits already, if there is one. `alg` is the
        ring's own unless it is named.

        Raises:
            SigningKeyRefused: a next key waits already, or the ring is not in use, or
                does not sign with `alg`.
        """
        known = algorithms_of(self.algorithms, ring)
        spare = SigningKey.generate(_one_of(known, alg or known[0], ring))

        def rotated(stored: Sequence[StoredKey]) -> Sequence[StoredKey]:
            before = waiting(stored, spare.alg)
            if before is None:
                return self._joined(stored, ring, spare, at_once=at_once)
            if not at_once:
                raise SigningKeyRefused(
                    f"{before.kid} waits in the {ring} ring already and signs from "
                    f"{_shown(signs_at(before))} on; --now lets it sign now"
                )
            return activated(stored, before, at=self.change.clock())

        after = self.change(ring, rotated, detail=operator.as_detail())
        return self._newest(after, spare.alg, at_once=at_once)

    def import_key(
        self, ring: Ring, raw: bytes, *, at_once: bool, operator: Operator
    ) -> StoredKey:
        """Publish a private key (PEM or JWK) as the next one and return it.

        With `at_once` it signs now, also if it waits in the ring already.

        Raises:
            SigningKeyRefused: no key that this ring can take, or it is there already,
                or another key waits.
        """
        key = parse_signing_key(raw)
        _one_of(algorithms_of(self.algorithms, ring), key.alg, ring)
        self._refuse_other_ring(ring, key)

        def imported(stored: Sequence[StoredKey]) -> Sequence[StoredKey]:
            held = holds(stored, key)
            if held is None:
                return self._joined(stored, ring, key, at_once=at_once)
            if held.status == "next" and at_once:
                return activated(stored, held, at=self.change.clock())
            raise SigningKeyRefused(
                f"{held.kid} is in the {ring} ring already: {held.status}"
            )

        after = self.change(ring, imported, detail=operator.as_detail())
        return next(one for one in after if one.kid == key.kid)

    def _joined(
        self, stored: Sequence[StoredKey], ring: Ring, key: SigningKey, *, at_once: bool
    ) -> Sequence[StoredKey]:
        now = self.change.clock()
        after = joined(stored, ring, key, now=now)
        return activated(after, after[-1], at=now) if at_once else after

    def _refuse_other_ring(self, ring: Ring, key: SigningKey) -> None:
        """Raise SigningKeyRefused for a key of another ring: a key has one purpose."""
        for other in RINGS:
            held = self.change.keys.list(other) if other != ring else ()
            if any(one.key.thumbprint == key.thumbprint for one in held):
                raise SigningKeyRefused(f"this key is in the {other} ring")

    @staticmethod
    def _newest(after: Sequence[StoredKey], alg: str, *, at_once: bool) -> StoredKey:
        newest = None if at_once else waiting(after, alg)
        found = newest or active(after, alg)
        if found is None:
            raise SigningKeyRefused("the ring has no key")
        return found


def algorithms_of(
    algorithms: Mapping[Ring, Sequence[Algorithm]], ring: Ring
) -> Sequence[Algorithm]:
    """Return the algorithms that a ring signs with.

    Raises:
        SigningKeyRefused: this deployment does not sign with the ring.
    """
    if ring not in algorithms:
        reason = {
            "platform": "TOKEN_ALGORITHM=HS256 signs with JWT_SECRET",
            "client": "loopback development is a public client without a key",
        }[ring]
        raise SigningKeyRefused(f"the {ring} ring is not in use: {reason}")
    return algorithms[ring]


def _one_of(known: Sequence[Algorithm], alg: Algorithm, ring: Ring) -> Algorithm:
    if alg not in known:
        needed = " or ".join(known)
        raise SigningKeyRefused(f"the {ring} ring needs {needed}; this key is {alg}")
    return alg


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
