"""Requests to an account's own PDS with its session (RFC 9449 §7).

Each attempt has a proof with the token's hash (requirements 5.3 to 5.8); a refused
token is refreshed once, and nothing else is a reason to refresh (7.13, 7.14).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import urlencode

from ..errors import AccountUnavailable, RefreshBusy, ScopeMissing, SessionEnded
from ..oauth.dpop import Outgoing, oauth_error
from ..syntax.grammar import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..http.types import Body, Deadline, Response
    from ..oauth.dpop import DPoPSender
    from ..records import OAuthSession
    from ..syntax.grammar import Did, Handle
    from .refresh import SessionRefresh

    Parameters = Mapping[str, str] | Sequence[tuple[str, str]]

ANSWER_LIMIT: Final = 5_000_000
"""Bytes of an answer, unless the caller says otherwise."""

OURS: Final = frozenset({"authorization", "dpop", "host", "content-length", "cookie"})
"""Headers that no caller may set."""

UNAVAILABLE: Final = frozenset(
    {"AccountDeactivated", "AccountSuspended", "AccountTakedown"}
)
NEEDED_SCOPE: Final = re.compile(r"""scope[ =]"([\x21\x23-\x5b\x5d-\x7e ]{1,200})\"""")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A stored session in use: it holds no token, so none of its copies goes stale."""

    did: Did
    session_id: str
    handle: Handle | None
    """As it was verified at the sign-in; display text only (requirement 1.30)."""
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
        """Send one request to the account's PDS; return its answer, any status.

        `path` begins with a slash and has no query. `body` is kept until the end,
        because a nonce challenge or a refresh makes it go out again (requirement 5.13);
        a long one is an `Upload`. The body of a success goes into the `sink`, if there
        is one.

        Raises:
            SessionEnded: sign in again; `RefreshBusy`: try again.
            ScopeMissing: the PDS names a permission that was not granted (8.11).
            AccountUnavailable: the account is deactivated or taken down (7.21).
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
                timeout=deadline.remaining(),  # a large body takes what it takes
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
        raise ValueError(f"headers that are not the caller's: {sorted(alien)}")
    return {"Accept": "*/*", **headers}


def _is_token_refused(response: Response) -> bool:
    """Tell whether the PDS refuses the access token itself (7.13, 7.14)."""
    if response.status != 401 or oauth_error(response)[0] in UNAVAILABLE:
        return False
    challenge = response.headers.get("WWW-Authenticate", "")
    if re.search(r'\bDPoP\b.*\berror="invalid_token"', challenge, re.IGNORECASE):
        return True
    return oauth_error(response)[0] == "invalid_token"


def _check_account(response: Response) -> None:
    """Raise what an answer says of the account or its permissions."""
    if response.status not in {400, 401, 403}:
        return
    host = host_of(response.url)
    error, _ = oauth_error(response)
    if error in UNAVAILABLE:
        raise AccountUnavailable(host, error)
    challenge = response.headers.get("WWW-Authenticate", "")
    is_scope = error == "ScopeMissingError" or 'error="insufficient_scope"' in challenge
    if response.status == 403 and is_scope:
        raise ScopeMissing(host, _needed_scope(response, challenge))


def _needed_scope(response: Response, challenge: str) -> str:
    """Return the scope that the host names, or nothing."""
    message = response.json_object().get("message") if response.body else None
    for text in (message, challenge):
        if isinstance(text, str) and (named := NEEDED_SCOPE.search(text)):
            return named[1]
    return ""
