"""The service over HTTP: a stream of events, and a long poll where streams break.

Some proxies hold a stream back until it ends, cut it at once, or answer in its place.
The service's first event comes immediately, so a stream that was opened and says
nothing is such a stream: from then on its service is polled, which every proxy carries.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from . import responses
from .errors import ServerUnknown, ServerUnreachable
from .event_stream import EventStream, EventTooLong
from .http_client import Door, ServerSilent
from .transport import KEPT, Pending

if TYPE_CHECKING:
    from pathlib import Path

    from .connection import Line
    from .http_client import Reply
    from .transport import Answer, Claim, Initiated, Initiation

EVENTS: Final = "text/event-stream"
JSON: Final = "application/json"
SILENCE: Final = 25.0
"""Seconds without a byte after which a connection is dead: the service sends a comment
every fifteen."""
LONGEST_POLL: Final = 30
"""Seconds that the service is asked to wait (RFC 7240 §4.3): the most it does."""
INITIATING: Final = 30.0
LOOKING: Final = 10.0
ACKNOWLEDGING: Final = 5.0
"""Seconds: the person watches, and a lost acknowledgement is harmless."""
ENDING: Final = 12.0
"""Seconds: the service itself gives the person's host six."""
MOST_RETRY: Final = 30.0
RETRY: Final = 2.0

Mode = Literal["auto", "stream", "poll"]


class StreamUnusable(ServerUnreachable):
    """The stream came to nothing, and something in between may be the reason."""


class HttpTransport:
    """Speaks HTTP with services; may be shared by any number of threads."""

    def __init__(
        self,
        *,
        mode: Mode = "auto",
        ca_bundle: Path | None = None,
        user_agent: str = "latchkey-native",
        silence: float = SILENCE,
    ) -> None:
        """Choose streams, polls, or streams until one proves unusable (`auto`).

        `ca_bundle` stands in for the usual certificates; they are always checked.
        """
        self._door = Door(user_agent=user_agent, ca_bundle=ca_bundle)
        self._mode = mode
        self._silence = silence
        self._polled: set[str] = set()
        """The services whose streams do not get through to us."""

    def initiate(self, server_url: str, initiation: Initiation) -> Initiated:
        """Start a login: POST /auth/native/login."""
        wanted = {
            "identifier": initiation.identifier,
            "code_challenge": initiation.code_challenge,
            "app_name": initiation.app_name,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        with self._door.opened(
            "POST",
            f"{server_url}/auth/native/login",
            headers={"Accept": JSON, "Content-Type": JSON},
            silence=INITIATING,
            body=json.dumps(given).encode(),
        ) as reply:
            document = _document(reply, within=INITIATING, expected={201})
        return responses.initiated(document)

    def attend(self, claim: Claim, line: Line, *, patiently: bool) -> Answer:
        """Ask once: on a stream, or by a poll."""
        if not patiently:
            return self._poll(claim, line, wait=0)
        if self._mode == "poll" or claim.server_url in self._polled:
            return self._poll(claim, line, wait=LONGEST_POLL)
        try:
            return self._stream(claim, line)
        except StreamUnusable:
            if self._mode == "stream":
                raise
            self._polled.add(claim.server_url)
            line.raise_if_cut()
            return self._poll(claim, line, wait=0)

    def acknowledge(self, claim: Claim) -> None:
        """Say that the token is kept: the last event id, as on a reconnect."""
        with self._door.opened(
            "GET",
            _await_url(claim),
            headers={"Accept": EVENTS, "Last-Event-ID": KEPT, **_proof(claim)},
            silence=ACKNOWLEDGING,
        ) as reply:
            if reply.status != 204:
                _document(reply, within=ACKNOWLEDGING, expected=set())

    def end_session(self, server_url: str, token: str) -> None:
        """Have the service end the session of a token: DELETE /auth/session."""
        with self._door.opened(
            "DELETE",
            f"{server_url}/auth/session",
            headers={"Accept": JSON, "Authorization": f"Bearer {token}"},
            silence=ENDING,
        ) as reply:
            if reply.status != 204:
                _document(reply, within=LOOKING, expected=set())

    def _poll(self, claim: Claim, line: Line, *, wait: int) -> Answer:
        silence = wait + LOOKING
        with self._door.opened(
            "GET",
            _await_url(claim),
            headers={"Accept": JSON, "Prefer": f"wait={wait}", **_proof(claim)},
            silence=silence,
        ) as reply:
            document = _document(reply, within=LOOKING, expected={200, 202})
            line.heard()
            answer = responses.answer(document)
            if not isinstance(answer, Pending):
                return answer
            seconds = responses.parse_seconds(reply.headers.get("Retry-After"))
            return Pending(seconds if seconds is not None else RETRY)

    def _stream(self, claim: Claim, line: Line) -> Answer:
        try:
            with self._door.opened(
                "GET",
                _await_url(claim),
                headers={"Accept": EVENTS, **_resuming(line.last_id), **_proof(claim)},
                silence=self._silence,
            ) as reply:
                if reply.status != 200:
                    _document(reply, within=LOOKING, expected=set())
                if reply.content_type != EVENTS:
                    raise StreamUnusable("the answer is no stream of events")
                with line.carries(reply.hang_up):
                    return _listen(reply, line)
        except ServerSilent as error:
            if line.is_heard:
                raise
            raise StreamUnusable("the stream says nothing") from error


def _listen(reply: Reply, line: Line) -> Answer:
    """Read a stream up to the event that decides, or to its end."""
    stream = EventStream()
    try:
        for chunk in reply.chunks():
            for event in stream.feed(chunk):
                line.heard(event.last_id)
                answer = responses.answer(responses.parse_document(event.data))
                if not isinstance(answer, Pending):
                    return answer
    except EventTooLong as error:
        raise ServerUnknown(str(error)) from error
    line.raise_if_cut()
    if not line.is_heard:
        raise StreamUnusable("the stream ended before its first event")
    seconds = RETRY if stream.retry is None else stream.retry / 1000
    return Pending(min(seconds, MOST_RETRY))


def _document(reply: Reply, *, within: float, expected: set[int]) -> dict[str, object]:
    """Return the JSON of an answer with one of the expected statuses.

    Raises:
        LoginRefused: an error document of the service that is final.
        ServerUnreachable: 5xx, 429, or not the service's words at all.
    """
    after = responses.parse_seconds(reply.headers.get("Retry-After"))
    if reply.content_type != JSON:
        raise _not_the_service(reply.status, after)
    document = responses.parse_document(reply.body(within=within))
    if reply.status in expected:
        return document
    passing = _is_passing(reply.status)
    refusal = responses.refusal(document, retry_after=after, is_passing=passing)
    raise refusal or _not_the_service(reply.status, after)


def _not_the_service(status: int, retry_after: float | None) -> ServerUnreachable:
    if _is_passing(status):
        return ServerUnreachable(f"it answers {status}", retry_after=retry_after)
    if 300 <= status < 400:
        return ServerUnknown("it redirects elsewhere: give the service's own address")
    return ServerUnknown(f"no sign-in service answers there (status {status})")


def _is_passing(status: int) -> bool:
    return status >= 500 or status in {408, 425, 429}


def _resuming(last_id: str) -> dict[str, str]:
    """Say where the last stream ended, unless that would acknowledge a token."""
    is_plain = last_id.isascii() and last_id.isalnum() and len(last_id) <= 64
    return {"Last-Event-ID": last_id} if is_plain and last_id != KEPT else {}


def _await_url(claim: Claim) -> str:
    session_id = quote(claim.session_id, safe="")
    return f"{claim.server_url}/auth/native/login/{session_id}/await"


def _proof(claim: Claim) -> dict[str, str]:
    """Prove the challenge in a header: proxies log the address of what fails."""
    return {"Code-Verifier": claim.verifier}
