"""Verify a platform token for a reverse proxy: GET /auth/verify (forward auth).

Results are cached for 3 seconds by the token's hash, because a proxy asks on every
request. Every node notices ended sessions and disabled accounts within that time. While
the database does not answer, a session that was live less than a minute ago passes.
After a change of the key ring no earlier result counts, so a dropped key is gone here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.stores.memory import MemoryCache
from app.flows.errors import (
    FlowError,
    NotSignedIn,
    StorageFailed,
    StorageUnavailable,
)
from app.telemetry.context import bind
from app.telemetry.events import Observer, TokenVerified, ignore
from app.tokens.errors import TokenError
from app.tokens.keys import KeyRing

from .session import Identified, Identify

log = logging.getLogger(__name__)

NOTICED_WITHIN: Final = 5.0
"""Seconds after which no answer counts, so that an ended session is noticed."""

CACHE_LIFETIME: Final = 3.0
"""Seconds for which a process answers by itself; the rest is for nginx's cache."""

CACHE_ENTRIES: Final = 10_000

HIT: Final = TokenVerified("hit")
MISS: Final = TokenVerified("miss")
INVALID: Final = TokenVerified("invalid")
OUTAGE: Final = TokenVerified("outage")

OUTAGE_LIFETIME: Final = 60.0
"""Seconds for which a live session passes while the database does not answer."""

ASK_AGAIN: Final = 5.0
"""Seconds of an outage in which known sessions pass without asking the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A token that named a live session when the database was last asked."""

    token: str = field(repr=False)
    identified: Identified
    asked_at: float
    ring: KeyRing
    """The keys with which the token was verified."""

    def fresh_for(self, now: float) -> float:
        """Return the seconds for which an answer counts that is given now; 0 if none.

        A process that may give none asks the database.
        """
        age = now - self.asked_at
        return NOTICED_WITHIN - age if 0 <= age < CACHE_LIFETIME else 0.0


@dataclass(slots=True)
class _Outage:
    """When the database is asked again after a failure."""

    ask_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """GET /auth/verify."""

    identify: Identify
    """Its verifier need not remember tokens: what is `seen` here has their claims."""
    seen: MemoryCache[Known]
    clock: Callable[[], float]
    observe: Observer = ignore
    outage: _Outage = field(default_factory=_Outage, init=False)

    def first_of(self, tokens: Collection[str | None]) -> Known | None:
        """Return what the first valid one of several tokens names, or None.

        Raises:
            AccountDisabled: the platform has disabled the account of one before it.
            StorageUnavailable: the database does not answer, and none of them is known.
        """
        outage: StorageUnavailable | None = None
        for token in tokens:
            try:
                if (known := self(token)) is not None:
                    return known
            except StorageUnavailable as error:
                outage = error
        if outage is not None:
            raise outage
        return None

    def __call__(self, token: str | None) -> Known | None:
        """Return what is known of a token, or None if it is not valid.

        Raises:
            AccountDisabled: the platform has disabled this account.
            StorageUnavailable: the database does not answer, and the token is not one
                of a session that was live less than OUTAGE_LIFETIME ago.
        """
        if not token or not token.isascii():
            return None
        key = sha256_hex(token)
        ring = self.identify.verifier.ring()
        known = self.seen.get(key)
        if known is not None and known.ring is not ring:
            known = None
        if known is not None and self._passes(known):
            self.observe(HIT)
            _bind(known.identified)
            return known
        try:
            return self._ask(token, key, ring=ring, known=known)
        except StorageFailed as error:
            self.observe(OUTAGE)
            self._note_outage(error)
            if known is None:
                raise
            _bind(known.identified)
            return known

    def _passes(self, known: Known) -> bool:
        now = self.clock()
        return known.fresh_for(now) > 0 or 0 < self.outage.ask_at - now <= ASK_AGAIN

    def _ask(
        self, token: str, key: str, *, ring: KeyRing, known: Known | None
    ) -> Known | None:
        """Ask the database; forget a token that is refused, an outage included."""
        try:
            if known is None:
                identified = self.identify(token)
            else:
                identified = self.identify.again(known.identified.claims)
        except StorageFailed:
            raise
        except (NotSignedIn, TokenError) as error:
            log.debug("not verified: %s", error)
            self.observe(INVALID)
            self.seen.delete(key)
            return None
        except FlowError:
            self.observe(INVALID)
            self.seen.delete(key)
            raise
        self.observe(MISS)
        now = self.clock()
        left = identified.claims.expires_at - now
        known = Known(token=token, identified=identified, asked_at=now, ring=ring)
        self.seen.put(key, known, lifetime=min(OUTAGE_LIFETIME, left))
        self.outage.ask_at = 0.0
        return known

    def _note_outage(self, error: StorageFailed) -> None:
        now = self.clock()
        if not self.outage.ask_at:
            log.error("verify: sessions of the last minute pass: %s", error)
        self.outage.ask_at = now + ASK_AGAIN


def _bind(identified: Identified) -> None:
    bind(did=identified.claims.did, sid=identified.claims.sid)
