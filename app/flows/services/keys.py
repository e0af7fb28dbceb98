"""Service keys: what services of the platform prove themselves with.

An operator makes a key for one service and says what it opens. The secret is shown
once, when it is made; only its SHA-256 is stored.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

from app.flows.errors import (
    ServiceKeyInvalid,
    ServiceKeyLacksRight,
    ServiceKeyRefused,
)
from app.flows.limits.networks import hit_networks
from app.flows.operator import Operator
from app.flows.ports import Audit, RateLimit

Right = Literal["users", "events"]
"""What a key opens: GET /auth/users, GET /auth/events."""

RIGHTS: Final[tuple[Right, ...]] = get_args(Right)

PREFIX: Final = "latchkey_sk_"
"""Begins every secret, so that scanners of repositories and logs find one."""

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")

MOST: Final = 100
"""Keys of a platform."""

CALLS_TIMES: Final = 10
"""A key may call so many times as often as an account."""

USE_INTERVAL: Final = 60.0
"""Seconds between two writes of the last use, so that most calls write nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKey:
    """The key of a service, without its secret. `may` are rights, in order."""

    name: str
    may: str
    """Rights, separated by commas."""
    created_by: str
    """The unix user."""
    created_at: float
    used_at: float | None = None
    """When it was last used, at most a minute too early; None before its first use."""

    def opens(self, right: Right) -> bool:
        """Tell whether the key has a right."""
        return right in self.may.split(",")


class ServiceKeys(Protocol):
    """The service keys, by the hash of their secret."""

    def add(self, key: ServiceKey, *, secret: str, most: int) -> bool:
        """Create the key; of its secret only a hash is stored.

        False if the name is in use. Raises `ServiceKeyRefused` when there are `most`.
        """

    def by_secret(self, secret: str) -> ServiceKey | None:
        """Return the key of a secret."""

    def note_use(self, name: str, now: float) -> None:
        """Set `used_at`."""

    def list(self) -> Sequence[ServiceKey]:
        """Return all keys by name."""

    def remove(self, name: str) -> bool:
        """Delete a key; False if there is none of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKeyMade:
    """A new key with its secret."""

    key: ServiceKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageServiceKeys:
    """`service-keys create | list | revoke`."""

    keys: ServiceKeys
    audit: Audit
    clock: Callable[[], float]

    def create(
        self, name: str, *, may: Collection[Right], by: Operator
    ) -> ServiceKeyMade:
        """Make a key; its secret is known to the caller alone.

        Raises:
            ServiceKeyRefused: the name breaks the grammar or is in use, or the
                platform has `MOST` keys.
        """
        if not NAME.fullmatch(name):
            raise ServiceKeyRefused(
                f"{name!r} is no name of a key: up to 32 of a-z, 0-9 and -"
            )
        secret = PREFIX + secrets.token_urlsafe(32)
        key = ServiceKey(
            name=name,
            may=",".join(right for right in RIGHTS if right in may),
            created_by=by.name,
            created_at=self.clock(),
        )
        if not self.keys.add(key, secret=secret, most=MOST):
            raise ServiceKeyRefused(f"there is a service key {name!r} already")
        self._record("service_key_created", name, by, may=key.may)
        return ServiceKeyMade(key=key, secret=secret)

    def list(self) -> Sequence[ServiceKey]:
        """Return the keys by name."""
        return self.keys.list()

    def revoke(self, name: str, *, by: Operator) -> None:
        """Delete a key; it opens nothing from the next request on.

        Raises:
            ServiceKeyRefused: there is none of this name.
        """
        if not self.keys.remove(name):
            raise ServiceKeyRefused(f"no service key is named {name!r}")
        self._record("service_key_revoked", name, by)

    def _record(self, event: str, name: str, by: Operator, **more: object) -> None:
        detail = {**by.as_detail(), "service_key": name, **more}
        self.audit.record(event, now=self.clock(), detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccess:
    """Decides whether a request carries a service key with a right."""

    keys: ServiceKeys
    rates: RateLimit
    clock: Callable[[], float]

    def require(self, secret: str | None, right: Right, *, network: str) -> ServiceKey:
        """Return the key of a secret, and count the call.

        Raises:
            ServiceKeyInvalid: the secret is missing or of no key; counts against the
                network.
            ServiceKeyLacksRight: the key does not open this.
            TooManyRequests: too many calls of this key, or too many invalid secrets
                from this network.
        """
        try:
            key = self.look_up(secret, right)
        except ServiceKeyInvalid:
            hit_networks(self.rates, "token", network)
            raise
        self.rates.hit("call", f"service-key {key.name}", times=CALLS_TIMES)
        return key

    def look_up(self, secret: str | None, right: Right) -> ServiceKey:
        """Return the key of a secret, without counting the call.

        Raises:
            ServiceKeyInvalid, ServiceKeyLacksRight: as `require` does.
        """
        is_ours = secret is not None and is_service_key(secret)
        key = self.keys.by_secret(secret) if secret and is_ours else None
        if key is None:
            raise ServiceKeyInvalid("not a service key of this platform")
        if not key.opens(right):
            raise ServiceKeyLacksRight(right)
        now = self.clock()
        if key.used_at is None or not 0 <= now - key.used_at < USE_INTERVAL:
            self.keys.note_use(key.name, now)
        return key


def is_service_key(secret: str) -> bool:
    """Tell whether a Bearer token has the form of a service key."""
    return secret.startswith(PREFIX)
