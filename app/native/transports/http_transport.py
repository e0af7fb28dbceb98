"""The HTTP transport: starts a login, and long-polls for its outcome.

A long poll is a GET that the service answers at once when the login is decided, or
with 202 when `longest_wait` is over (`Prefer: wait`, RFC 7240 section 4.3). Unlike a
stream it passes through every proxy, and each answer is either complete or absent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ..errors import NotALatchkeyServer, ServerUnreachable
from ..records import LoginStarted
from . import responses
from .connection import Connection
from .http_client import LARGEST, HttpClient, Reply
from .transport import ACKNOWLEDGEMENT, Answer, Claim, Completed, Initiation, Pending

JSON: Final = "application/json"
LONGEST_WAIT: Final = 25
"""Seconds of one long poll. The service allows 30, at which some proxies give up."""
INITIATING: Final = 30.0
"""Seconds: the service asks other servers meanwhile."""
ANSWERING: Final = 10.0
"""Seconds for an answer that needs no waiting, or that comes after it."""
ACKNOWLEDGING: Final = 5.0
"""Seconds: the person watches, and a lost acknowledgement is harmless."""
ENDING: Final = 12.0
"""Seconds: the service itself gives the person's host six."""
ASK_AGAIN: Final = 2.0
"""Seconds between two requests where the service does not say."""


class HttpTransport:
    """Speaks HTTP with services; any number of threads may share it."""

    def __init__(
        self,
        *,
        ca_bundle: Path | None = None,
        user_agent: str = "latchkey-native",
        longest_wait: int = LONGEST_WAIT,
    ) -> None:
        """Configure it; nothing is contacted.

        `ca_bundle` replaces the usual certificates, which are always verified.
        `longest_wait` is the seconds of one long poll: choose fewer where a proxy ends
        quiet connections sooner.
        """
        self._client = HttpClient(user_agent=user_agent, ca_bundle=ca_bundle)
        self._longest_wait = longest_wait

    def initiate(self, server_url: str, initiation: Initiation) -> LoginStarted:
        """Start a login: POST /auth/native/login."""
        wanted = {
            "identifier": initiation.identifier,
            "code_challenge": initiation.code_challenge,
            "app_name": initiation.app_name,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        reply = self._client.send(
            "POST",
            f"{server_url}/auth/native/login",
            headers={"Accept": JSON, "Content-Type": JSON},
            within=INITIATING,
            body=json.dumps(given).encode(),
        )
        return responses.initiated(_document(reply, expected={201}))

    def ask(self, claim: Claim, connection: Connection, *, wait: bool) -> Answer:
        """Ask for the outcome with one long poll."""
        seconds = self._longest_wait if wait else 0
        began = time.monotonic()
        reply = self._client.send(
            "GET",
            _await_url(claim),
            headers={"Accept": JSON, "Prefer": f"wait={seconds}", **_proof(claim)},
            within=seconds + ANSWERING,
            connection=connection,
        )
        answer = responses.answer(_document(reply, expected={200, 202}))
        connection.note_answer()
        if not isinstance(answer, Pending):
            return answer
        elapsed = time.monotonic() - began
        return Pending(pause_after(reply.headers.get("Retry-After"), elapsed))

    def acknowledge(self, claim: Claim) -> None:
        """Tell the service that the token is stored: Last-Event-ID, answered 204."""
        reply = self._client.send(
            "GET",
            _await_url(claim),
            headers={
                "Accept": JSON,
                "Last-Event-ID": ACKNOWLEDGEMENT,
                **_proof(claim),
            },
            within=ACKNOWLEDGING,
        )
        _raise_unless_204(reply)

    def refresh(self, server_url: str, refresh_token: str) -> Completed:
        """Renew a token: POST /auth/native/refresh."""
        reply = self._client.send(
            "POST",
            f"{server_url}/auth/native/refresh",
            headers={"Accept": JSON, "Content-Type": JSON},
            within=ANSWERING,
            body=json.dumps({"refresh_token": refresh_token}).encode(),
        )
        return responses.refreshed(_document(reply, expected={200}))

    def end_session(self, server_url: str, token: str) -> None:
        """Have the service end the session of a token: DELETE /auth/session."""
        reply = self._client.send(
            "DELETE",
            f"{server_url}/auth/session",
            headers={"Accept": JSON, "Authorization": f"Bearer {token}"},
            within=ENDING,
        )
        _raise_unless_204(reply)


def pause_after(retry_after: str | None, elapsed: float) -> float:
    """Return the seconds to the next long poll.

    Retry-After counts from the last request: a poll that has lasted its whole time is
    followed by the next one at once, an early answer is not.
    """
    seconds = responses.parse_seconds(retry_after)
    return max(0.0, (ASK_AGAIN if seconds is None else seconds) - elapsed)


def _raise_unless_204(reply: Reply) -> None:
    if reply.status != 204:
        _document(reply, expected=set())


def _document(reply: Reply, *, expected: set[int]) -> Mapping[str, object]:
    """Return the JSON object of a response with one of the expected statuses.

    Raises:
        LoginRefused: it is an error document of the service.
        NotALatchkeyServer: it is something else, with a status below 500.
        ServerUnreachable: it is something else, with 5xx, 408, 425 or 429.
    """
    after = responses.parse_seconds(reply.headers.get("Retry-After"))
    if reply.content_type != JSON:
        raise _unknown_response(reply.status, after)
    if len(reply.body) > LARGEST:
        raise NotALatchkeyServer("the answer is too large to be the service's")
    document = responses.parse_document(reply.body)
    if reply.status in expected:
        return document
    passing = _is_passing(reply.status)
    refusal = responses.refusal(document, retry_after=after, is_passing=passing)
    raise refusal or _unknown_response(reply.status, after)


def _unknown_response(status: int, retry_after: float | None) -> ServerUnreachable:
    if _is_passing(status):
        return ServerUnreachable(f"it answers {status}", retry_after=retry_after)
    if 300 <= status < 400:
        return NotALatchkeyServer(
            "it redirects elsewhere: give the service's own address"
        )
    return NotALatchkeyServer(f"no sign-in service answers there (status {status})")


def _is_passing(status: int) -> bool:
    return status >= 500 or status in {408, 425, 429}


def _await_url(claim: Claim) -> str:
    session_id = quote(claim.session_id, safe="")
    return f"{claim.server_url}/auth/native/login/{session_id}/await"


def _proof(claim: Claim) -> dict[str, str]:
    """Prove the challenge in a header: proxies log the URLs of failed requests."""
    return {"Code-Verifier": claim.verifier}
