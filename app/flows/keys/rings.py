"""The key rings in memory: `platform` signs platform tokens, `client` authenticates us.

Every process reads the rings again at least every RELOAD_EVERY seconds, so that a new
key is used and a dropped one is gone everywhere without a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from app.atproto.crypto.keys import ClientKeys, SigningKey
from app.atproto.errors import KeyUnavailable
from app.flows.errors import StorageFailed
from app.flows.ports import SigningKeys, StoredKey
from app.tokens.errors import SigningKeyMissing
from app.tokens.keys import KeyRing

from .life_cycle import (
    CLIENT_ALGORITHM,
    ID_TOKEN_ALGORITHM,
    RELOAD_EVERY,
    active,
    current,
    is_over,
)

log = logging.getLogger(__name__)

REREAD_AFTER: Final = 1.0
"""Seconds after which the unknown key id of a token makes a process read the rings
again. Strangers choose those ids, so this bounds what they make us ask the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    stored: Sequence[StoredKey]
    platform: KeyRing
    id_tokens: KeyRing
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
        self._loads = count(1)
        self._newest = 0
        """The number of the snapshot's load; loads are numbered as they begin."""
        self._failing = False

    def platform(self) -> KeyRing:
        """Return the platform ring; without an active key it only verifies.

        Raises:
            StorageFailed: the database does not answer, and there is no snapshot.
        """
        return self._shared or self._current().platform

    def id_tokens(self) -> KeyRing:
        """Return the ring of RS256 keys, which sign id_tokens.

        Raises:
            StorageFailed: the database does not answer, and there is no snapshot.
        """
        return self._current().id_tokens

    def published(self) -> KeyRing:
        """Return the ring whose public keys are the JWKS.

        It is the platform ring, which has the keys of id_tokens as well; the secret of
        HS256 is never published. The same object until a key changes.

        Raises:
            StorageFailed: the database does not answer, and there is no snapshot.
        """
        snapshot = self._current()
        return snapshot.platform if self._shared is None else snapshot.id_tokens

    def reread_platform(self) -> KeyRing:
        """Return the platform ring as another node may just have changed it.

        For a token whose key id is unknown here. Reads once in REREAD_AFTER seconds.

        Raises:
            StorageFailed: the database does not answer, and there is no snapshot.
        """
        if self._shared is not None:
            return self._shared
        snapshot = self._current()
        if self._failing or not self._is_due(REREAD_AFTER):
            return snapshot.platform
        return self._reload(snapshot).platform

    def client(self) -> ClientKeys:
        """Return the client's keys.

        Raises:
            SigningKeyMissing: the ring has no active key.
            StorageFailed: the database does not answer, and there is no snapshot.
        """
        return _require_client(self._current())

    def reread_client(self) -> ClientKeys:
        """Return the client's keys as another node may just have changed them.

        For a key id that is unknown here. Reads every time: such an id is that of a
        stored login or session, no stranger's.

        Raises:
            SigningKeyMissing: the ring has no active key.
            StorageFailed: the database does not answer.
        """
        return _require_client(self._load())

    def _current(self) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            return self._load()
        return self._reload(snapshot) if self._is_due(RELOAD_EVERY) else snapshot

    def _is_due(self, interval: float) -> bool:
        # Also after the clock was set back.
        return not 0 <= self._clock() - self._tried_at < interval

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
        number = next(self._loads)
        platform = [
            stored
            for stored in current(self._keys.list("platform"), now)
            if not is_over(stored, now, token_lifetime=self._token_lifetime, pinned=())
        ]
        client = current(self._keys.list("client"), now)
        stored = [*platform, *client]
        if self._snapshot is not None and number < self._newest:
            return self._snapshot  # of a load that began later and has ended before
        self._newest = number
        if self._snapshot is None or self._snapshot.stored != stored:
            rs256 = [one for one in platform if one.alg == ID_TOKEN_ALGORITHM]
            self._snapshot = _Snapshot(
                stored=stored,
                platform=_key_ring(platform, self._algorithm),
                id_tokens=_key_ring(rs256, ID_TOKEN_ALGORITHM),
                client=self._client_keys(client),
            )
        return self._snapshot

    def _client_keys(self, stored: Sequence[StoredKey]) -> ClientKeys | None:
        """Return the keys; a next one begins no session yet (requirement 3.11)."""
        if active(stored, CLIENT_ALGORITHM) is None:
            return None
        return _RereadClientKeys(
            [entry.key for entry in stored if entry.status != "next"],
            announced=[entry.key for entry in stored if entry.status == "next"],
            reread=self.reread_client,
        )


class _RereadClientKeys(ClientKeys):
    """Reads the ring again before a key counts as gone.

    Another node may have made the key a moment ago, and a session whose key is gone
    ends (requirement 7.4).
    """

    def __init__(
        self,
        keys: Iterable[SigningKey],
        *,
        announced: Iterable[SigningKey],
        reread: Callable[[], ClientKeys],
    ) -> None:
        super().__init__(keys, announced=announced)
        self._reread = reread

    def get(self, kid: str) -> SigningKey:
        """Return the key with this kid.

        Raises:
            KeyUnavailable: it is gone.
            SigningKeyMissing: the ring has no active key any more.
            StorageFailed: it is unknown here, and the database does not answer.
        """
        try:
            return super().get(kid)
        except KeyUnavailable:
            newest = self._reread()
            if newest is self:
                raise
            return newest.get(kid)


def _require_client(snapshot: _Snapshot) -> ClientKeys:
    if snapshot.client is None:
        raise SigningKeyMissing("client")
    return snapshot.client


def _key_ring(stored: Sequence[StoredKey], algorithm: str) -> KeyRing:
    signing = active(stored, algorithm)
    return KeyRing.of(signing.key if signing else None, tuple(k.key for k in stored))
