"""The operator's face on pages: name, logo, colours, links."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A picture; `mark` is a digest of it, for its address."""

    content: bytes = field(repr=False)
    media_type: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style sheet with the accent in both themes."""

    content: str = field(repr=False)
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """What an operator may set; None and "" show nothing."""

    logo: Logo | None = None
    style: Style | None = None
    home_url: str | None = None
    terms_url: str | None = None
    privacy_url: str | None = None
    support_url: str | None = None
    security_contact: str | None = None
