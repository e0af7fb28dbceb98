"""Parsers of the operator's face: logo, links, contact, folder of translations.

Each raises ValueError with a reason. A logo is read once, at the start; what it is
follows from its first bytes, never from its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

LARGEST_LOGO: Final = 256 * 1000
"""Bytes; every page loads the logo."""

_URL = re.compile(
    r"https://[!#-;=?-\[\]_a-z~]+"
)  # RFC 3986, nothing that needs quoting
_MAIL = re.compile(r"mailto:[!#-'*+./0-9=?A-Z^_`a-z{|}~-]+@[0-9A-Za-z.-]+")
_SVG = re.compile(rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]")

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture and its media type."""

    path: str
    media_type: str
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return self.path

    @property
    def mark(self) -> str:
        """A digest for its address, which changes with the picture."""
        return sha256(self.content).hexdigest()[:12]


def logo(text: str) -> Logo:
    """Read a picture: PNG, JPEG, GIF, WebP or SVG."""
    try:
        with Path(text).open("rb") as file:
            content = file.read(LARGEST_LOGO + 1)
    except OSError as error:
        raise ValueError(f"cannot read {text}: {error.strerror}") from error
    if len(content) > LARGEST_LOGO:
        raise ValueError(f"{text} is larger than {LARGEST_LOGO // 1000} KB")
    return Logo(text, _media_type(content, text), content)


def _media_type(content: bytes, name: str) -> str:
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if _SVG.match(content):
        return "image/svg+xml"
    raise ValueError(f"{name} is no PNG, JPEG, GIF, WebP or SVG picture")


def web_page(text: str) -> str:
    """Return the URL of a page: https, with a host, nothing that hides the host."""
    parts = urlsplit(text) if _URL.fullmatch(text) else None
    if parts is None or not parts.hostname or parts.username is not None:
        raise ValueError(f"{text!r} is no https URL")
    return text


def contact(text: str) -> str:
    """Return an https URL or a mailto: address."""
    return text if _MAIL.fullmatch(text) else web_page(text)


def folder(text: str) -> Path:
    """Return the path of a folder that exists."""
    path = Path(text)
    if not path.is_dir():
        raise ValueError(f"{text} is no folder")
    return path
