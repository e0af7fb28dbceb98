"""The life of a signing key: next, active, retired, deleted. Pure functions of a ring.

A next key is published and signs by itself once every cache can know it (requirements
3.11 and 3.18). The key before it is retired at that moment and stays published while
something that it signed may be valid. The status of a stored key may be late: `current`
tells what it is now, and the sweep stores that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.flows.errors import SigningKeyRefused
from app.flows.ports import KeyStatus, Ring, StoredKey
from app.tokens.verifier import LEEWAY

RINGS: Final[tuple[Ring, ...]] = ("platform", "client")

CLIENT_ALGORITHM: Final[Algorithm] = "ES256"
"""The one algorithm that every authorization server takes (requirement 3.15)."""

ID_TOKEN_ALGORITHM: Final[Algorithm] = "RS256"  # noqa: S105 - no password
"""Every client can verify it (OpenID Connect Core section 15.1), so the platform ring
has such a key with each TOKEN_ALGORITHM."""

RELOAD_EVERY: Final = 5.0
"""Seconds after which every process has read a change of the rings."""

ANNOUNCED: Final[Mapping[Ring, float]] = MappingProxyType(
    {"platform": 15 * 60.0, "client": 60 * 60.0}
)
"""Seconds for which a next key is published before it signs. Services keep our JWKS for
up to 15 minutes: five of our Cache-Control, ten of the usual libraries. Authorization
servers keep the client metadata ten minutes or longer (requirement 3.11)."""

RETIRED_MARGIN: Final = LEEWAY + 2 * RELOAD_EVERY
"""Seconds that a node may still sign with a retired key: it reads the rings late, and
its clock is behind."""

LONGEST_LOGIN: Final = 2 * 3_600.0
"""Seconds after which no login is under way that began with a retired client key: twice
the lifetime of an auth request."""

_ORDER: Final[tuple[KeyStatus, ...]] = ("active", "next", "retired")


def new_key(ring: Ring, key: SigningKey, status: KeyStatus, *, now: float) -> StoredKey:
    """Return a key that joins a ring now."""
    return StoredKey(
        kid=key.kid,
        ring=ring,
        alg=key.alg,
        status=status,
        key=key,
        created_at=now,
        activated_at=now if status == "active" else None,
    )


def signs_at(key: StoredKey) -> float:
    """Return when a next key begins to sign."""
    return key.created_at + ANNOUNCED[key.ring]


def current(stored: Iterable[StoredKey], now: float) -> list[StoredKey]:
    """Return the ring as it is now: a next key whose time has come is active."""
    ring = list(stored)
    for key in [one for one in ring if one.status == "next" and signs_at(one) <= now]:
        ring = activated(ring, key, at=signs_at(key))
    return ordered(ring)


def activated(
    stored: Iterable[StoredKey], key: StoredKey, *, at: float
) -> list[StoredKey]:
    """Return the ring where `key` signs from `at` on; the key before it is retired."""

    def after(one: StoredKey) -> StoredKey:
        if one.kid == key.kid:
            return replace(one, status="active", activated_at=at)
        if one.status == "active" and one.alg == key.alg:
            return replace(one, status="retired", retired_at=at)
        return one

    return ordered(map(after, stored))


def ordered(stored: Iterable[StoredKey]) -> list[StoredKey]:
    """Return the ring: active first, then next, then retired, newest first."""
    newest = sorted(stored, key=lambda one: (-one.created_at, one.kid))
    return sorted(newest, key=lambda one: _ORDER.index(one.status))


def active(stored: Iterable[StoredKey], alg: str) -> StoredKey | None:
    """Return the key that signs with an algorithm, or None."""
    return _at(stored, "active", alg)


def waiting(stored: Iterable[StoredKey], alg: str) -> StoredKey | None:
    """Return the next key of an algorithm, or None."""
    return _at(stored, "next", alg)


def holds(stored: Iterable[StoredKey], key: SigningKey) -> StoredKey | None:
    """Return the key as the ring has it, or None.

    Raises:
        SigningKeyRefused: the ring has another key under that key id.
    """
    same = next((one for one in stored if one.kid == key.kid), None)
    if same is not None and same.key.thumbprint != key.thumbprint:
        raise SigningKeyRefused(f"another key has the key id {key.kid}")
    return same


def tokens_end_at(key: StoredKey, token_lifetime: float) -> float | None:
    """Return when the last token of a retired platform key ends, else None."""
    if key.ring != "platform" or key.retired_at is None:
        return None
    return key.retired_at + token_lifetime + RETIRED_MARGIN


def is_over(
    key: StoredKey, now: float, *, token_lifetime: float, pinned: Collection[str]
) -> bool:
    """Tell whether nothing that a key signed can be valid any more.

    `pinned` are the ids of the client keys to which sessions at hosts or logins are
    bound (requirements 3.18 and 7.3).
    """
    if key.status != "retired" or key.retired_at is None:
        return False
    if key.ring == "client":
        return key.retired_at + LONGEST_LOGIN <= now and key.kid not in pinned
    return key.retired_at + token_lifetime + RETIRED_MARGIN <= now


def _at(stored: Iterable[StoredKey], status: KeyStatus, alg: str) -> StoredKey | None:
    return next((k for k in stored if k.status == status and k.alg == alg), None)
