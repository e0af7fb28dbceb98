"""The probe of `doctor`: a request to ourselves through the proxy, signed with our key.

/healthz answers a valid probe with what reached the process of the request's forwarded
headers, and sets a cookie as the platform's. Other callers get neither: what a proxy
passes on is of use to those who want to get around a rate limit.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

HEADER: Final = "X-Latchkey-Doctor"
COOKIE: Final = "latchkey-doctor"

LIFETIME: Final = 120
"""Seconds for which a probe is valid."""

LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class ProbeKey:
    """Signs and verifies probes with a key derived from SECRET_KEY."""

    secret: bytes = field(repr=False)

    def sign(self, now: float) -> str:
        """Return the header's value for a probe that is sent now."""
        time = str(int(now))
        return f"{time}.{self._mac(time)}"

    def is_valid(self, value: str, now: float) -> bool:
        """Tell whether a header's value was signed in the last LIFETIME seconds."""
        time, _, mac = value[:LONGEST].partition(".")
        if not (time.isascii() and time.isdigit()):
            return False
        is_ours = hmac.compare_digest(mac.encode(), self._mac(time).encode())
        return is_ours and abs(now - int(time)) < LIFETIME

    def _mac(self, time: str) -> str:
        key = hmac.digest(self.secret, b"latchkey doctor probe", hashlib.sha256)
        return hmac.digest(key, time.encode(), hashlib.sha256).hex()
