"""The first key of a ring, generated or imported (`init`), and reading a key file."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.flows.errors import SigningKeyRefused
from app.flows.operator import Operator
from app.flows.ports import Ring, StoredKey

from .change import ChangeRing
from .life_cycle import active, holds, new_key, waiting

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareKeys:
    """Give a ring its first key; of several processes that start, one makes it."""

    change: ChangeRing

    def prepare(
        self,
        ring: Ring,
        alg: Algorithm,
        *,
        operator: Operator,
        imported: bytes | None = None,
    ) -> StoredKey | None:
        """Return the key that was added, or None if none was needed.

        `imported` is a private key as PEM or JWK. If another key is active, it becomes
        the next one, so that it is published before it signs. A key that was in a ring
        before and was deleted is left out: it may have leaked.

        Raises:
            SigningKeyRefused: the imported key is unusable, or its place is taken.
        """
        own = self._own_key(ring, alg, imported)
        if _is_prepared(self.change.keys.list(ring), alg, own):
            return None
        key = own or SigningKey.generate(alg)

        def with_key(stored: Sequence[StoredKey]) -> Sequence[StoredKey]:
            if _is_prepared(stored, alg, own):
                return stored
            return joined(stored, ring, key, now=self.change.clock())

        after = self.change(ring, with_key, detail=operator.as_detail())
        return next((one for one in after if one.key is key), None)

    def _own_key(
        self, ring: Ring, alg: Algorithm, imported: bytes | None
    ) -> SigningKey | None:
        if imported is None:
            return None
        key = parse_signing_key(imported)
        if key.alg != alg:
            raise SigningKeyRefused(
                f"the {ring} ring needs {alg}; this key is {key.alg}"
            )
        if self.change.keys.is_former(key.thumbprint):
            log.warning(
                "the %s key %s was deleted from its ring and is not imported again: "
                "take its file out of the settings",
                *(ring, key.kid),
            )
            return None
        return key


def joined(
    stored: Sequence[StoredKey], ring: Ring, key: SigningKey, *, now: float
) -> Sequence[StoredKey]:
    """Return the ring with a new key: active in an empty place, else next.

    Raises:
        SigningKeyRefused: another key waits already.
    """
    if active(stored, key.alg) is None:
        return [*stored, new_key(ring, key, "active", now=now)]
    if (before := waiting(stored, key.alg)) is not None:
        raise SigningKeyRefused(
            f"another key waits in the {ring} ring already: {before.kid}"
        )
    return [*stored, new_key(ring, key, "next", now=now)]


def parse_signing_key(raw: bytes) -> SigningKey:
    """Read a private key: a JWK in JSON, or PKCS#8 in PEM.

    Raises:
        SigningKeyRefused: neither, or a key that we cannot sign with.
    """
    try:
        if not raw.lstrip().startswith(b"{"):
            return SigningKey.from_pem(raw)
        return SigningKey.from_jwk(json.loads(raw))
    except ValueError as error:
        # Not chained: a JSON error quotes its input, which is a private key.
        raise SigningKeyRefused(_reason(error)) from None


def _reason(error: ValueError) -> str:
    return "not JSON" if isinstance(error, json.JSONDecodeError) else str(error)


def _is_prepared(
    stored: Sequence[StoredKey], alg: Algorithm, own: SigningKey | None
) -> bool:
    if own is not None:
        return holds(stored, own) is not None
    return active(stored, alg) is not None
