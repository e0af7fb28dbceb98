"""Parses the identifier that a person typed or pasted: a handle, a DID or a server.

Accepts everything that contains one of them: an `at://` URI, the URL of a profile page,
an internationalised handle, a name copied with direction marks around it. Pure: nothing
is sent before the input was understood (requirement 1.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final
from unicodedata import category, normalize
from urllib.parse import unquote

from ..errors import IdentifierInvalid
from .grammar import (
    Did,
    Handle,
    Origin,
    host_of,
    is_handle,
    is_handle_resolvable,
    parse_did,
    parse_handle,
    parse_server_url,
)
from .host_names import to_ascii

LONGEST_INPUT: Final = 4096
"""Characters that are read: a DID of 2048 inside a long URL fits."""

MAIL_PROVIDERS: Final = frozenset(
    {
        "gmail.com",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hotmail.com",
        "icloud.com",
        "live.com",
        "outlook.com",
        "proton.me",
        "protonmail.com",
        "yahoo.com",
    }
)
"""Hosts of mailboxes, not of accounts: `a@gmail.com` never means `a.gmail.com`."""

_IDEOGRAPHIC_FULL_STOP = "\u3002"
_WRAPPING = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb<>(){},;!"
_SPACED_SEPARATOR = re.compile(r" ?([.@:/]) ?")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleIdentifier:
    """A handle to sign in with (requirement 1.1)."""

    kind: ClassVar = "handle"
    value: Handle
    completed: bool = False
    """True when the configured suffix was added to a bare word; show that to the
    person."""

    @property
    def login_hint(self) -> str:
        """What the authorization server may prefill (requirement 4.7)."""
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class DidIdentifier:
    """A DID to sign in with."""

    kind: ClassVar = "did"
    value: Did

    @property
    def login_hint(self) -> str:
        """What the authorization server may prefill (requirement 4.7)."""
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentifier:
    """A PDS or an authorization server; it names no account (requirement 2.10)."""

    kind: ClassVar = "server"
    value: Origin
    login_hint: ClassVar[None] = None


Identifier = HandleIdentifier | DidIdentifier | ServerIdentifier
"""The start of a login: what `parse_identifier` understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What this deployment accepts as an identifier."""

    handle_suffix: str | None
    allow_http: bool
    allow_test: bool

    def of_name(self, text: str) -> Identifier:
        """Read a handle, a bare word or a DID, with or without an @ before it."""
        name = text.lstrip("@")
        if name.startswith("did:"):
            did = parse_did(
                name, allow_localhost=self.allow_http, allow_test=self.allow_test
            )
            return DidIdentifier(value=did)
        if "@" in name and name != text:
            raise IdentifierInvalid("a fediverse address", kind="fediverse")
        if "@" in name:
            raise self._email_like(name)
        if "." in name or ":" in name:
            return HandleIdentifier(value=self._handle(name))
        if not self.handle_suffix:
            raise IdentifierInvalid("a handle has at least one dot")
        handle = self._handle(name + self.handle_suffix)
        return HandleIdentifier(value=handle, completed=True)

    def of_url(self, text: str) -> Identifier:
        """Read the URL of a profile page or of a server."""
        name = _name_in(text)
        if name is not None:
            return self.of_name(name)
        origin = parse_server_url(text, allow_http=self.allow_http)
        # Outside development a server's host has the grammar of a handle and the same
        # reserved top-level domains (requirement 9.2).
        host = Handle(host_of(origin))
        if not self.allow_http and not self._is_resolvable(host):
            raise IdentifierInvalid("the server's name is reserved")
        return ServerIdentifier(value=origin)

    def _handle(self, text: str) -> Handle:
        handle = parse_handle(_ascii(text))
        if not self._is_resolvable(handle):
            raise IdentifierInvalid("the handle's top-level domain is reserved")
        return handle

    def _email_like(self, text: str) -> IdentifierInvalid:
        mailbox, _, host = text.lower().partition("@")
        meant = Handle(_ascii(f"{mailbox}.{host}"))
        likely = (
            host not in MAIL_PROVIDERS
            and is_handle(meant)
            and self._is_resolvable(meant)
        )
        return IdentifierInvalid(
            "an e-mail address is no handle",
            suggestion=meant if likely else None,
            kind="email",
        )

    def _is_resolvable(self, handle: Handle) -> bool:
        return is_handle_resolvable(handle, allow_test=self.allow_test)


def parse_identifier(
    text: str,
    *,
    handle_suffix: str | None = ".bsky.social",
    allow_http: bool = False,
    allow_test: bool = False,
) -> Identifier:
    """Return what a person entered (requirements 1.1 to 1.6).

    `handle_suffix` completes a bare word; `allow_http` and `allow_test` are the
    development switches of requirements 1.5 and 2.14.

    Raises:
        DidMethodUnsupported: a DID of another method than plc and web.
        IdentifierInvalid: none of these; with a `suggestion` when an e-mail address may
            be a miswritten handle.
    """
    entered = clean(text)
    if not entered:
        raise IdentifierInvalid("nothing was entered")
    reading = _Reading(
        handle_suffix=handle_suffix, allow_http=allow_http, allow_test=allow_test
    )
    if entered[:5].lower() == "at://":
        return reading.of_name(entered[5:].partition("/")[0])
    if re.match("https?://", entered, re.IGNORECASE):
        return reading.of_url(entered)
    name, slash, path = entered.partition("/")
    if not slash or name.startswith("did:"):
        return reading.of_name(entered)
    if not path:
        return reading.of_name(name)
    return reading.of_name(_name_in("//" + entered) or entered)


def clean(text: str) -> str:
    """Remove what copying and typing add around an identifier (requirement 1.2).

    Replaces compatibility forms (a full-width @, the full stop of a CJK keyboard), and
    removes invisible characters and space at the ends and beside separators. Space
    between words stays, and the identifier is refused.

    Raises:
        IdentifierInvalid: longer than any identifier.
    """
    if len(text) > LONGEST_INPUT:
        raise IdentifierInvalid("too long")
    plain = normalize("NFKC", text).replace(_IDEOGRAPHIC_FULL_STOP, ".")
    visible = "".join(
        c for c in plain if c.isspace() or category(c) not in {"Cc", "Cf"}
    )
    words = " ".join(visible.split())
    joined = _SPACED_SEPARATOR.sub(r"\1", words)
    return joined.strip(_WRAPPING + " ").rstrip(_WRAPPING + " .")


def _name_in(url: str) -> str | None:
    """Return the handle or DID in the URL of a profile page, or None.

    All sites use the same forms: the name follows `/profile/` or an @, or a DID is a
    segment of the path.
    """
    segments = [unquote(part) for part in re.split("[/?#]", url.partition("//")[2])]
    for before, segment in pairwise(segments):
        name = segment.removeprefix("@")
        marked = before == "profile" or name != segment
        if name.startswith("did:") or (marked and is_handle(_ascii(name))):
            return name
    return None


def _ascii(name: str) -> str:
    """Return a name in ASCII, or unchanged if it has no such form."""
    try:
        return to_ascii(name)
    except ValueError:
        return name
