"""Renew the platform token of a cookie while it is used: forward auth's Set-Cookie.

A service behind a proxy never sends its people to us, so the proxy's question renews
their cookie once the token is past half its life.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from app.flows.errors import FlowError
from app.tokens.errors import TokenError
from app.tokens.issuer import BACKDATED

from .session import Identified, Identify, IssueToken

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewOnUse:
    """Issue the successor of a token that a browser's cookie holds.

    Several requests at once each get a token of the same session; all of them are
    valid, so it does not matter which cookie the browser keeps.
    """

    identify: Identify
    tokens: IssueToken
    clock: Callable[[], float]

    def __call__(self, token: str, identified: Identified) -> str | None:
        """Return a fresh token, or None if it is too early or the session is over.

        The database is asked now: what was remembered may be of a session that has
        ended since. A native app's session is not renewed, because its token is no
        cookie of a browser and the app has a way of its own.
        """
        if not self.is_due(identified):
            return None
        try:
            session = self.identify(token).session
            return self.tokens.issue(session).token
        except (FlowError, TokenError) as error:
            log.debug("a token is not renewed: %s", error)
            return None

    def is_due(self, identified: Identified) -> bool:
        """Tell whether a browser's token is past half its life."""
        claims = identified.claims
        issued_at = claims.issued_at + BACKDATED
        is_past_half = self.clock() >= (issued_at + claims.expires_at) / 2
        return is_past_half and not identified.session.app_name
