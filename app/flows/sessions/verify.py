"""Verify a platform token for a reverse proxy: GET /auth/verify (forward auth).

Results are cached for 5 seconds by the token's hash, because a proxy asks on every
request. Every node notices ended sessions and disabled accounts within that time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.stores.memory import MemoryCache
from app.flows.errors import NotSignedIn
from app.telemetry.context import bind
from app.tokens.errors import TokenError

from .session import Identified, Identify

log = logging.getLogger(__name__)

CACHE_LIFETIME: Final = 5.0
"""Seconds; half the time within which a service has to notice an ended session."""

CACHE_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """GET /auth/verify."""

    identify: Identify
    seen: MemoryCache[Identified]
    clock: Callable[[], float]

    def __call__(self, token: str | None) -> Identified | None:
        """Return the claims and session of a token, or None if it is not valid.

        Raises:
            AccountDisabled: the platform has disabled this account.
        """
        if not token or not token.isascii():
            return None
        key = sha256_hex(token)
        known = self.seen.get(key)
        if known is not None:
            bind(did=known.claims.did, sid=known.claims.sid)
            return known
        try:
            identified = self.identify(token)
        except (NotSignedIn, TokenError) as error:
            log.debug("not verified: %s", error)
            return None
        left = identified.claims.expires_at - self.clock()
        self.seen.put(key, identified, lifetime=min(CACHE_LIFETIME, left))
        return identified
