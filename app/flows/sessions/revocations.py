"""The revocation feed: sessions that ended while a token of theirs can live.

Services that verify tokens offline read it. It is a JWT of the platform key with a
`typ` of its own, so it is no token and no token is it (RFC 8725 section 3.11).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.atproto.crypto.encoding import sha256_base64url
from app.atproto.stores.memory import MemoryCache
from app.flows.errors import CursorInvalid
from app.flows.ports import Sessions
from app.tokens.errors import SigningKeyMissing
from app.tokens.keys import KeyRing

TYP: Final = "revocations+jwt"

PAGE: Final = 2_000
"""Sessions of one answer."""

OVERLAP: Final = 60
"""Seconds that an answer repeats: clocks of nodes differ, and a transaction of before
may commit after it."""

MARGIN: Final = 60
"""Seconds that a session stays in the feed after its last token."""

LIFETIME: Final = 3_600
"""Seconds after which an answer is refused that was kept back."""

CACHED: Final = 2.0
"""Seconds for which a process gives the same answer to the same cursor."""

CACHE_ENTRIES: Final = 16
"""Answers that a process holds at once."""

MAX_CURSOR: Final = 100
"""Characters of `since`."""

_SECOND: Final = re.compile(r"[0-9]{1,12}")
"""A second of any year to come; databases refuse a number of 20 digits."""

Cursor = tuple[int, str]
"""The second at which a session ended, and its id; the order of the feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One answer."""

    jwt: str
    etag: str
    """The same while the same sessions and keys are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRevocations:
    """Name the sessions that ended, from a cursor of an earlier answer on."""

    sessions: Sessions
    ring: Callable[[], KeyRing]
    issuer: str
    token_lifetime: float
    clock: Callable[[], float]
    answers: MemoryCache[Feed]

    def __call__(self, since: str = "") -> Feed:
        """Return the sessions that ended after the cursor `since`.

        Raises:
            CursorInvalid: `since` is no cursor of this feed.
            SigningKeyMissing: the ring has no active key.
        """
        cursor = max(_parse(since), self._oldest())
        name = f"{cursor[0]}.{cursor[1]}"
        feed = self.answers.get(name)
        if feed is None:
            feed = self._read(cursor)
            self.answers.put(name, feed, lifetime=CACHED)
        return feed

    def _oldest(self) -> Cursor:
        """Return the cursor before which no token of a session can live."""
        oldest = int(self.clock() - self.token_lifetime - MARGIN)
        # In steps, so that all readers of the whole feed share an answer.
        return (oldest - oldest % OVERLAP, "")

    def _read(self, cursor: Cursor) -> Feed:
        ring, now = self.ring(), int(self.clock())
        if ring.signing is None:
            raise SigningKeyMissing("platform")
        ended = self.sessions.ended_after(*cursor, limit=PAGE)
        more = len(ended) == PAGE
        following = (ended[-1][1], ended[-1][0]) if more else (now - OVERLAP, "")
        content = {
            "sessions": {sid: self._forget_at(at) for sid, at in ended},
            "keys": [key.kid for key in ring.published],
            "more": more,
        }
        claims = {
            "iss": self.issuer,
            "iat": now,
            "exp": now + LIFETIME,
            "next": f"{following[0]}.{following[1]}",
            **content,
        }
        headers = {"kid": ring.signing.kid, "typ": TYP}
        etag = sha256_base64url(json.dumps([cursor, content]))
        return Feed(jwt=ring.signing.sign(claims, headers=headers), etag=etag)

    def _forget_at(self, ended_at: int) -> int:
        return ended_at + int(self.token_lifetime) + MARGIN


def _parse(since: str) -> Cursor:
    if not since:
        return (0, "")
    second, point, sid = since.partition(".")
    if not point or not _SECOND.fullmatch(second) or len(since) > MAX_CURSOR:
        raise CursorInvalid
    return (int(second), sid)
