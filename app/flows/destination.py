"""What a finished login is for.

The OAuth client carries it from the login's start to its callback as `app_state`,
without understanding it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from app.atproto.errors import AtprotoError

from .ports import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a person wanted to go, and what they had typed.

    `return_to` was judged when it arrived: a path of ours or a URL of the platform.
    `prompt` is what the host was asked for; it decides whether one more try is due.
    `native` is the id of the native login that an app awaits; the browser that finishes
    such a login is not signed in by it.
    `scope` is what a service asked for beyond every sign-in's own. `upgrades` names the
    session (sid) of the same person that the login is to replace, and that stays as it
    is when the login fails (requirement 8.10).
    """

    return_to: str = ""
    identifier: str = ""
    prompt: str = ""
    native: str = ""
    scope: str = ""
    upgrades: str = ""

    def pack(self) -> str:
        """Return it as text, for the auth request or a newcomer's session.

        Only what is there: a release that knows fewer fields still reads most logins.
        """
        given = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(given, separators=(",", ":"))

    @classmethod
    def unpack(cls, text: str) -> Destination:
        """Read what `pack` wrote."""
        return cls(**json.loads(text))


def destination_of(error: Exception) -> Destination:
    """Return what a login that failed was for, as far as it was recognised."""
    packed = error.app_state if isinstance(error, AtprotoError) else None
    return Destination.unpack(packed) if packed else Destination()


def awaited_by(session: Session) -> str:
    """Return the native login that a session is held for, or ""."""
    return Destination.unpack(session.destination).native if session.destination else ""
