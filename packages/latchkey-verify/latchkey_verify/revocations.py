"""The revocation feed: sessions that ended while a token of theirs can live.

`GET /auth/revocations` is a JWT of the service with the `typ` `revocations+jwt`, and
these claims beside `iss`, `iat` and `exp`:

- `sessions`: an object from session id to the second after which it may be forgotten;
- `keys`: the ids of the keys that are published now;
- `next`: the cursor for `?since=`, which gives what is new;
- `more`: true when the answer was cut, and the next one follows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from .errors import VerifyError
from .fetch import MAX_BYTES, Fetch

TYP: Final = "revocations+jwt"
MAX_PAGES: Final = 50
MAX_CURSOR: Final = 100


@dataclass(frozen=True, slots=True)
class Revocations:
    """What the feed said until now."""

    sessions: Mapping[str, int] = field(default_factory=dict)
    """From session id to the Unix time after which no token of it can live."""
    keys: frozenset[str] = frozenset()
    """Ids of the keys that were published when the feed was read."""
    cursor: str = ""


class Feed:
    """Reads the feed of one service."""

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Fetch,
        open_jwt: Callable[[str, str, int], Mapping[str, Any]],
        clock: Callable[[], float],
    ) -> None:
        """Open pages by `open_jwt`: of JWT, `typ` and largest length the claims."""
        self._url = f"{issuer}/auth/revocations"
        self._fetch, self._open, self._clock = fetch, open_jwt, clock

    def load(self, before: Revocations | None) -> Revocations:
        """Return what ended until now: what was known before, and what is new.

        Raises:
            OSError: the feed cannot be fetched.
            ValueError: it is not the service's, or not of this form.
        """
        now = self._clock()
        known = before or Revocations()
        sessions = {sid: end for sid, end in known.sessions.items() if end > now}
        keys, cursor = known.keys, known.cursor
        for _ in range(MAX_PAGES):
            claims = self._page(cursor)
            sessions.update(claims["sessions"])
            keys, cursor = frozenset(claims["keys"]), claims["next"]
            if not claims["more"]:
                break
        return Revocations(sessions, keys, cursor)

    def _page(self, cursor: str) -> Mapping[str, Any]:
        since = f"?since={quote(cursor, safe='')}" if cursor else ""
        text = self._fetch(f"{self._url}{since}").decode("ascii", "replace").strip()
        try:
            claims = self._open(text, TYP, MAX_BYTES)
        except VerifyError as error:
            msg = f"the revocation feed: {error}"
            raise ValueError(msg) from error
        if not _is_page(claims):
            raise ValueError("the revocation feed is of another form")
        return claims


def _is_page(claims: Mapping[str, Any]) -> bool:
    sessions, keys = claims.get("sessions"), claims.get("keys")
    cursor = claims.get("next")
    return (
        isinstance(sessions, dict)
        and all(type(end) is int for end in sessions.values())
        and isinstance(keys, list)
        and all(isinstance(kid, str) for kid in keys)
        and isinstance(cursor, str)
        and len(cursor) <= MAX_CURSOR
        and isinstance(claims.get("more"), bool)
    )
