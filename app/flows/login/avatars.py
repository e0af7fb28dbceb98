"""Avatars of suggested accounts, which the service fetches (GET /auth/avatar).

A browser that loaded them itself would tell another host its address and what is typed.
Only addresses that TYPEAHEAD_URL has given are fetched: each carries our MAC.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.atproto.errors import AtprotoError
from app.atproto.http.types import HTTP, Deadline
from app.atproto.stores.memory import MemoryCache
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.limits.networks import network_of, widths_of
from app.flows.ports import RateLimit

log = logging.getLogger(__name__)

LONGEST_URL: Final = 512

AVATAR_BYTES: Final = 64 * 1024
AVATAR_LIMIT: Final = 3.0
"""Seconds: without its avatar, a suggestion is of use as well."""

FRESH: Final = 3600.0
FAILED: Final = 60.0
"""Seconds without a request after one that failed."""

CACHE_BYTES: Final = 4_000_000

EACH_QUESTION: Final = 8.0
"""Avatars that may be fetched for each question of the limit while typing."""

SIGNATURES: Final[Mapping[str, tuple[bytes, bytes]]] = {
    "image/jpeg": (b"\xff\xd8\xff", b""),
    "image/png": (b"\x89PNG\r\n\x1a\n", b""),
    "image/webp": (b"RIFF", b"WEBP"),
}
"""Media types that are passed on: how a file begins, and what stands at byte 8. No SVG,
which can hold scripts."""

LARGE: Final = "/img/avatar/"
SMALL: Final = "/img/avatar_thumbnail/"
"""Bluesky's image server has the avatars that its API names at 128 pixels, too."""


@dataclass(frozen=True, slots=True)
class AvatarKey:
    """Makes and checks the marks of avatars, with a key derived from SECRET_KEY."""

    secret: bytes = field(repr=False)

    def mark(self, url: str) -> str:
        """Return what proves that we have named this address."""
        key = hmac.digest(self.secret, b"latchkey avatar", hashlib.sha256)
        return hmac.digest(key, url.encode(), hashlib.sha256).hex()

    def is_ours(self, url: str, mark: str) -> bool:
        """Tell whether `mark` has returned this."""
        return hmac.compare_digest(mark.encode(), self.mark(url).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image of one of the types in SIGNATURES."""

    content: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchAvatar:
    """GET /auth/avatar."""

    http: HTTP
    key: AvatarKey
    limits: RateLimit
    concurrency: ConcurrencyLimit
    pictures: MemoryCache[bytes]

    def __call__(self, url: str, mark: str, *, address: str) -> Picture | None:
        """Return the avatar at an address that we have named; None without one.

        Raises:
            TooManyRequests: too many avatars of this network, or in this process.
        """
        if not self.key.is_ours(url, mark):
            return None
        content = self.pictures.get(url)
        if content is None:
            widths = widths_of(network_of(address))
            counted = [(f"avatar {wide}", t * EACH_QUESTION) for wide, t in widths]
            self.limits.hit_all("typing", counted)
            with self.concurrency.hold():
                content = self._fetch(url)
            self.pictures.put(url, content, lifetime=FRESH if content else FAILED)
        media_type = media_type_of(content)
        if media_type is None:
            return None
        return Picture(content=content, media_type=media_type)

    def _fetch(self, url: str) -> bytes:
        """Return an image, b"" when the answer is none."""
        try:
            response = self.http.request(
                "GET",
                url,
                deadline=Deadline.after(AVATAR_LIMIT),
                limit=AVATAR_BYTES,
                headers={"Accept": ", ".join(SIGNATURES)},
                timeout=AVATAR_LIMIT,
            )
        except AtprotoError as error:
            log.debug("no avatar: %s", error)
            return b""
        is_image = response.status == 200 and media_type_of(response.body) is not None
        return response.body if is_image else b""


def media_type_of(content: bytes) -> str | None:
    """Return what an image is by its first bytes; None for anything else."""
    for media_type, (start, at_8) in SIGNATURES.items():
        if content.startswith(start) and content.startswith(at_8, 8):
            return media_type
    return None


def small(url: object) -> str:
    """Return the address of an avatar as we fetch it; "" for what is none."""
    if not isinstance(url, str) or not url.startswith("https://"):
        return ""
    is_plain = len(url) <= LONGEST_URL and url.isascii() and url.isprintable()
    return url.replace(LARGE, SMALL, 1) if is_plain and " " not in url else ""
