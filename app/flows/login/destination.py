"""Destination: what a login is for, carried as the OAuth client's `app_state`."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Final
from urllib.parse import parse_qs, urlsplit

from app.atproto.errors import AtprotoError

CONSENT: Final = "/oauth/consent"
"""Where the request of an app goes on after the sign-in."""


def held_in(return_to: str) -> str:
    """Return the secret of the held request of an app that a login leads to, or ""."""
    parts = urlsplit(return_to)
    if parts.path != CONSENT or parts.netloc:
        return ""
    return parse_qs(parts.query).get("request", [""])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a login leads, and what was typed to start it.

    `return_to` was checked when it arrived: a path of ours or a URL of the platform.
    `prompt` is the OAuth prompt; it decides whether the login is tried once more.
    `native` is the id of the native login that an app waits for; such a login does not
    sign its browser in.
    `scope` is what a service asked for beyond SCOPE. `upgrades` is the sid of the
    person's session that the login replaces; it stays if the login fails
    (requirement 8.10). `leaving` is set when the login proves the account to delete it;
    such a login signs no browser in.
    """

    return_to: str = ""
    identifier: str = ""
    prompt: str = ""
    native: str = ""
    scope: str = ""
    upgrades: str = ""
    leaving: str = ""

    @property
    def has_to_prove(self) -> bool:
        """Whether an app waits for a new proof (OpenID Connect Core 3.1.2.1).

        Without the prompt, the host may answer by a session that it has.
        """
        return self.prompt == "login" and held_in(self.return_to) != ""

    def pack(self) -> str:
        """Return it as JSON, for the auth request or a session that is pending.

        Empty fields are left out, so that a release that knows fewer fields can read
        most logins.
        """
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in named.items() if value}
        return json.dumps(given, separators=(",", ":"))

    @classmethod
    def unpack(cls, text: str | None) -> Destination:
        """Read what `pack` wrote; an empty destination from None."""
        return cls(**json.loads(text)) if text else cls()


def destination_of(error: Exception) -> Destination:
    """Return the destination of a login that failed; empty if it was not recognised."""
    return Destination.unpack(
        error.app_state if isinstance(error, AtprotoError) else None
    )
