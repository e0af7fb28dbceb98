"""Verify a token for a proxy, once per request of the whole platform.

What was found out is remembered for a few seconds, by the token's hash: a page with
forty pictures costs one signature check and one look at the database. Ended sessions
and disabled users are noticed within that time, on every node.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.stores.memory import MemoryCache
from app.tokens.errors import TokenError

from .errors import NotSignedIn
from .session import Identified, Identify

log = logging.getLogger(__name__)

REMEMBERED_FOR: Final = 5.0
"""Seconds; half of what a running service may take to notice an ended session."""

MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """GET /auth/verify."""

    identify: Identify
    seen: MemoryCache[Identified]
    clock: Callable[[], float]

    def __call__(self, token: str | None) -> Identified | None:
        """Return who a token names while its session stands; None for anybody else.

        Raises:
            AccountDisabled: the platform has shut this account.
        """
        if not token or not token.isascii():
            return None
        key = sha256_hex(token)
        known = self.seen.get(key)
        if known is not None:
            return known
        try:
            identified = self.identify(token)
        except (NotSignedIn, TokenError) as error:
            log.debug("not verified: %s", error)
            return None
        left = identified.claims.expires_at - self.clock()
        self.seen.put(key, identified, lifetime=min(REMEMBERED_FOR, left))
        return identified
