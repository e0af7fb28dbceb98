"""Requests to an account's PDS with its session (RFC 9449 section 7).

Each attempt has a DPoP proof with the token's hash (requirements 5.3 to 5.8). When the
PDS refuses the token, the session is refreshed once; no other answer causes a refresh
(requirements 7.13 and 7.14).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final
from urllib.parse import urlencode

from ..errors import (
    AccountUnavailable,
    RefreshBusy,
    ScopeMissing,
    ServerInvalid,
    SessionEnded,
)
from ..http.types import Body, Deadline, Response
from ..oauth.challenge import dpop_challenge, oauth_error
from ..oauth.dpop import DPoPSender, Outgoing
from ..records import OAuthSession
from ..syntax.grammar import Did, Handle, host_of
from .refresh import SessionRefresh

Parameters = Mapping[str, str] | Sequence[tuple[str, str]]

ANSWER_LIMIT: Final = 5_000_000
"""Bytes of an answer, unless the caller gives another limit."""

OURS: Final = frozenset({"authorization", "dpop", "host", "content-length", "cookie"})
"""Headers that a caller may not set."""

UNAVAILABLE: Final = frozenset(
    {"AccountDeactivated", "AccountSuspended", "AccountTakedown"}
)
SCOPE_REFUSED: Final = frozenset({"ScopeMissingError", "InsufficientScope"})
"""Error codes of PDSes of several makes (requirement 8.11)."""

NEEDED_SCOPE: Final = re.compile(
    r"""scope(?:[ =]"(?P<quoted>[\x20\x21\x23-\x5b\x5d-\x7e]{1,200})"
            |(?:=|:[ ])(?P<bare>[\x21\x23-\x5b\x5d-\x7e]{1,200}))""",
    re.VERBOSE,
)
SCOPE_TEXT: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}")

MESSAGE_LIMIT: Final = 2_048
"""Characters of an error message in which a scope is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A stored session in use; it holds no token, so copies never become outdated."""

    did: Did
    session_id: str
    handle: Handle | None
    """As verified at the sign-in; display text only (requirement 1.30)."""
    refreshing: SessionRefresh
    sender: DPoPSender

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Parameters = (),
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        sink: IO[bytes] | None = None,
        deadline: Deadline,
        limit: int = ANSWER_LIMIT,
    ) -> Response:
        """Send one request to the account's PDS; return its answer with any status.

        `path` begins with a slash and has no query. `body` may be sent again after a
        nonce challenge or a refresh (requirement 5.13); use an `Upload` for a long one.
        The body of a success is written to the `sink`, if there is one.

        Raises:
            SessionEnded: sign in again; `RefreshBusy`: try again.
            ScopeMissing: the PDS wants a permission that was not granted
                (requirement 8.11).
            AccountUnavailable: the account is deactivated or taken down
                (requirement 7.21).
            HostUnreachable, ServerInvalid: see `HTTP.request`.
        """
        target = _target(path, params)
        plain = _checked(headers or {})

        def attempt(session: OAuthSession) -> Response:
            outgoing = Outgoing(
                method=method,
                url=session.pds + target,
                headers=plain,
                body=lambda _now: body,
                key=session.dpop_key,
                access_token=session.access_token,
                sink=sink,
                limit=limit,
                timeout=deadline.remaining(),  # a large body takes long
            )
            answer, _ = self.sender.send(
                outgoing, deadline=deadline, nonce=session.pds_nonce
            )
            return answer

        session = self._current(deadline)
        response = attempt(session)
        if _is_token_refused(response):
            session = self._current(deadline, rejected=session.access_token)
            response = attempt(session)
        if _is_token_refused(response):
            if not self.refreshing.discard(session):
                raise RefreshBusy(f"{self.did} has other tokens by now")
            raise SessionEnded("revoked")
        _check_account(response)
        return response

    def refresh(self, *, deadline: Deadline) -> OAuthSession:
        """Refresh the session now, due or not; return it as it is stored.

        Raises what `SessionRefresh.current` raises.
        """
        stored = self.refreshing.stored(self.did, self.session_id)
        return self._current(deadline, rejected=stored.access_token)

    def _current(
        self, deadline: Deadline, *, rejected: str | None = None
    ) -> OAuthSession:
        return self.refreshing.current(
            self.did, self.session_id, deadline=deadline, rejected=rejected
        )


def _target(path: str, params: Parameters) -> str:
    if not path.startswith("/") or re.search(r"[?#\\\s]", path):
        raise ValueError("a path begins with a slash and has no query or fragment")
    query = urlencode(params)
    return f"{path}?{query}" if query else path


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    if alien := OURS & {name.lower() for name in headers}:
        raise ValueError(f"headers that a caller may not set: {sorted(alien)}")
    return {"Accept": "*/*", **headers}


def _is_token_refused(response: Response) -> bool:
    """Tell whether the PDS refuses the access token itself.

    See requirements 7.13 and 7.14.
    """
    if response.status not in {400, 401}:
        return False
    error, _ = oauth_error(response)
    if error in UNAVAILABLE:
        return False
    if error == "ExpiredToken" or response.status == 400:
        return error == "ExpiredToken"
    return "invalid_token" in {error, dpop_challenge(response).get("error")}


def _check_account(response: Response) -> None:
    """Raise when the answer is about the account or its permissions."""
    if response.status not in {400, 401, 403}:
        return
    host = host_of(response.url)
    error, _ = oauth_error(response)
    if error in UNAVAILABLE:
        raise AccountUnavailable(host, error)
    challenge = dpop_challenge(response)
    is_scope = error in SCOPE_REFUSED or challenge.get("error") == "insufficient_scope"
    if response.status == 403 and is_scope:
        raise ScopeMissing(host, _needed_scope(response, challenge))


def _needed_scope(response: Response, challenge: Mapping[str, str]) -> str:
    try:
        message = response.json_object().get("message")
    except ServerInvalid:
        message = None
    if isinstance(message, str) and (
        named := NEEDED_SCOPE.search(message[:MESSAGE_LIMIT])
    ):
        return named["quoted"] or named["bare"]
    scope = challenge.get("scope", "")
    return scope if SCOPE_TEXT.fullmatch(scope) else ""
