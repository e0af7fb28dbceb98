"""Signing keys: the two key rings, their first keys, and the snapshot in memory.

Each ring has next, active and retired keys: `platform` signs platform tokens, `client`
authenticates us at authorization servers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.atproto.crypto.keys import Algorithm, ClientKeys, SigningKey
from app.flows.errors import SigningKeyRefused, StorageFailed
from app.flows.ports import Audit, Ring, SigningKeys, StoredKey
from app.tokens.errors import SigningKeyMissing
from app.tokens.keys import KeyRing

log = logging.getLogger(__name__)

RELOAD_EVERY: Final = 10.0
"""Seconds after which every node has read a new key."""

CLIENT_ALGORITHM: Final[Algorithm] = "ES256"
"""The one algorithm that every authorization server takes (requirement 3.15)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareKeys:
    """Give a ring its first key, generated or imported.

    A ring has one active and one next key of each algorithm. The database enforces
    this, so that of several processes that start together one makes the key.
    """

    keys: SigningKeys
    audit: Audit
    clock: Callable[[], float]

    def prepare(
        self, ring: Ring, alg: Algorithm, *, imported: bytes | None = None
    ) -> StoredKey | None:
        """Return the key that was added, or None if none was needed.

        `imported` is a private key as PEM or JWK. If another key is active, it becomes
        the next one, so that it is published before it signs.

        Raises:
            SigningKeyRefused: the imported key is unusable, or its place is taken.
        """
        stored = self.keys.list(ring)
        if imported is None:
            if _active(stored, alg):
                return None
            return self._add(ring, SigningKey.generate(alg), activate=True)
        key = parse_signing_key(imported)
        if key.alg != alg:
            raise SigningKeyRefused(
                f"the {ring} ring needs {alg}; this key is {key.alg}"
            )
        if _holds(stored, key):
            return None
        added = self._add(ring, key, activate=True)
        added = added or self._add(ring, key, activate=False)
        if added is None and not _holds(self.keys.list(ring), key):
            raise SigningKeyRefused(f"another key waits in the {ring} ring already")
        return added

    def _add(self, ring: Ring, key: SigningKey, *, activate: bool) -> StoredKey | None:
        now = self.clock()
        stored = StoredKey(
            kid=key.kid,
            ring=ring,
            alg=key.alg,
            status="active" if activate else "next",
            key=key,
            created_at=now,
            activated_at=now if activate else None,
        )
        if not self.keys.add(stored):
            return None
        detail = {"ring": ring, "kid": key.kid, "status": stored.status}
        self.audit.record("key_added", now=now, detail=detail)
        log.info("%s key %s added as %s", ring, key.kid, stored.status)
        return stored


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


def _active(ring: Iterable[StoredKey], alg: str) -> StoredKey | None:
    return next((k for k in ring if k.status == "active" and k.alg == alg), None)


def _holds(ring: Iterable[StoredKey], key: SigningKey) -> bool:
    """Tell whether the ring has the key.

    Raises:
        SigningKeyRefused: it has another key under that key id.
    """
    same = next((stored.key for stored in ring if stored.kid == key.kid), None)
    if same is not None and same.thumbprint != key.thumbprint:
        raise SigningKeyRefused(f"another key has the key id {key.kid}")
    return same is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    stored: Sequence[StoredKey]
    platform: KeyRing
    client: ClientKeys | None


class KeyRings:
    """The rings, at most RELOAD_EVERY seconds old.

    While the database does not answer, the last snapshot is used, so that metadata,
    JWKS and verification work through an outage (requirement 3.12).
    """

    def __init__(
        self,
        *,
        keys: SigningKeys,
        clock: Callable[[], float],
        algorithm: str,
        token_lifetime: float,
        secret: bytes | None = None,
    ) -> None:
        """Read nothing yet. `secret` is for HS256 and replaces the platform ring."""
        self._keys = keys
        self._clock = clock
        self._algorithm = algorithm
        self._token_lifetime = token_lifetime
        self._shared = None if secret is None else KeyRing.of_secret(secret)
        self._snapshot: _Snapshot | None = None
        self._tried_at = 0.0
        self._failing = False

    def platform(self) -> KeyRing:
        """Return the platform ring; without an active key it only verifies.

        Raises:
            StorageFailed: the database does not answer, and there is no snapshot.
        """
        return self._shared or self._current().platform

    def client(self) -> ClientKeys:
        """Return the client's keys.

        Raises:
            SigningKeyMissing: the ring has no active key.
            StorageFailed: the database does not answer, and there is no snapshot.
        """
        client = self._current().client
        if client is None:
            raise SigningKeyMissing("client")
        return client

    def _current(self) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            return self._load()
        return self._reload(snapshot) if self._is_due() else snapshot

    def _is_due(self) -> bool:
        # Also after the clock was set back.
        return not 0 <= self._clock() - self._tried_at < RELOAD_EVERY

    def _reload(self, last: _Snapshot) -> _Snapshot:
        try:
            snapshot = self._load()
        except StorageFailed as error:
            if not self._failing:
                log.warning("keys not reloaded, the last snapshot is used: %s", error)
            self._failing = True
            return last
        self._failing = False
        return snapshot

    def _load(self) -> _Snapshot:
        # Set first: while one caller waits for the database, the others do not.
        now = self._tried_at = self._clock()
        gone = now - self._token_lifetime - 2 * RELOAD_EVERY
        platform = [
            stored
            for stored in self._keys.list("platform")
            if stored.retired_at is None or stored.retired_at > gone
        ]
        client = self._keys.list("client")
        stored = [*platform, *client]
        if self._snapshot is None or self._snapshot.stored != stored:
            self._snapshot = _Snapshot(
                stored=stored,
                platform=_key_ring(platform, self._algorithm),
                client=_client_keys(client),
            )
        return self._snapshot


def _key_ring(stored: Sequence[StoredKey], algorithm: str) -> KeyRing:
    active = _active(stored, algorithm)
    return KeyRing.of(active.key if active else None, tuple(k.key for k in stored))


def _client_keys(stored: Sequence[StoredKey]) -> ClientKeys | None:
    """Return the keys; a next one is only published (requirement 3.11)."""
    if _active(stored, CLIENT_ALGORITHM) is None:
        return None
    return ClientKeys(
        [entry.key for entry in stored if entry.status != "next"],
        announced=[entry.key for entry in stored if entry.status == "next"],
    )
