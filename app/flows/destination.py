"""What a finished login is for.

The OAuth client carries it from the login's start to its callback as `app_state`,
without understanding it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a person wanted to go, and what they had typed.

    `return_to` was judged when it arrived: a path of ours or a URL of the platform.
    `prompt` is what the host was asked for; it decides whether one more try is due.
    `native` is the id of the native login that an app awaits; the browser that finishes
    such a login is not signed in by it.
    """

    return_to: str
    identifier: str = ""
    prompt: str = ""
    native: str = ""

    def pack(self) -> str:
        """Return it as text, for the auth request or a newcomer's session."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def unpack(cls, text: str) -> Destination:
        """Read what `pack` wrote."""
        return cls(**json.loads(text))
