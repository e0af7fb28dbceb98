"""A call on the PDS of a person, for a service that this person visits.

The service shows the platform token; tokens and keys of the host never leave
(requirement 7.22). The call goes to the person's own PDS alone, if `XRPC_ALLOW` names
it, and its answer comes back as it is, but for outages and limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from app.atproto.client import OAuthClient
from app.atproto.errors import HostFailing, ServerInvalid, SessionEnded
from app.atproto.http.types import Deadline, Response, Upload, parse_json
from app.atproto.syntax.grammar import Did, host_of
from app.flows.concurrency import ConcurrencyLimit
from app.flows.errors import CallMalformed, HostLimited, NotSignedIn
from app.flows.ports import RateLimit, Session
from app.flows.session import Identified, Identify
from app.tokens.errors import TokenInvalid

from .allow_list import JSON, UPLOAD_BLOB, Admitted, Call, CallRules
from .call_records import CallRecord
from .retry_after import Pauses

CALL_BUDGET: Final = 9.0
"""Seconds for a call with all its attempts: an answer comes within ten."""

LONGEST_BUDGET: Final = 25.0
"""Seconds for a large body: less than a restart waits for requests under way."""

SPEED: Final = 2_000_000
"""Bytes in a second that a line to a PDS is trusted to carry."""

BULK: Final = frozenset(
    {"com.atproto.sync.getBlob", "com.atproto.sync.getRepo", UPLOAD_BLOB}
)
"""Methods whose bodies are large, one way or the other."""

IN_MEMORY: Final = 256 * 1024
"""Bytes of an answer that stay in memory; more goes to a file without a name."""

OUTAGES: Final = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the PDS said: a success with its body in `file`, an error in `body`.

    Until whoever has it calls `close`, it keeps its file and a place of its person: one
    that is read slowly, or never, is one of the few that they may have at once.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    file: IO[bytes] = field(repr=False)
    close: Callable[[], None] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long bodies may be, in bytes."""

    json: int
    blob: int

    def for_body_of(self, call: Call) -> int:
        """Return the limit for what the caller sends."""
        return self.blob if call.nsid == UPLOAD_BLOB else self.json

    @property
    def for_answer(self) -> int:
        """The limit for what the PDS says, a blob at times."""
        return max(self.blob, self.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPds:
    """GET and POST /auth/xrpc/NSID."""

    identify: Identify
    client: OAuthClient
    rules: CallRules
    sizes: Limits
    rates: RateLimit
    pauses: Pauses
    concurrency: ConcurrencyLimit

    def recognise(self, token: str | None, *, network: str) -> Identified:
        """Return whom the platform token names; whoever guesses is slowed down.

        Raises what `Identify.identify` raises, and:
            TooManyRequests: too many tokens from this network were none.
        """
        try:
            return self.identify.identify(token)
        except (NotSignedIn, TokenInvalid):
            self.rates.hit("token", network)
            raise

    def call(
        self,
        who: Identified,
        call: Call,
        *,
        receive: Callable[[int], Upload | None],
        headers: Mapping[str, str],
        record: CallRecord,
    ) -> Answer:
        """Make a call with the session of this person; return what the PDS says.

        `receive` reads the caller's body, up to so many bytes; it is asked once and
        only when nothing else is amiss.

        Raises:
            TooManyRequests: too many calls of this session, or too many at once.
            CallNotAllowed, CallMalformed, CallTooLarge: the PDS was not asked.
            HostLimited: the PDS wants to be left alone for a while.
            SessionEnded: sign in again (7.18); AccountUnavailable: 7.21.
            ScopeMissing: something was not granted (8.11); `record.needs` says what.
            HostUnreachable, ServerInvalid, RefreshBusy: not the caller's fault.
        """
        did = who.session.did
        self.rates.hit("call", who.session.sid)
        admitted = self.rules.admit(call, did)
        self.pauses.check(did, call.verb)
        with ExitStack() as kept:
            kept.enter_context(self.concurrency.hold(did))
            body = receive(self.sizes.for_body_of(call))
            if admitted is None:
                admitted = self.rules.admit_writes(call, _document(body), did)
            record.collections, record.needs = admitted.collections, admitted.needs
            file = kept.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
            response = self._send(
                who.session, call, admitted, body=body, headers=headers, sink=file
            )
            self._judge(did, call, response)
            file.seek(0)
            return Answer(
                status=response.status,
                headers=response.headers,
                body=response.body,
                file=file,
                close=kept.pop_all().close,
            )

    def _send(
        self,
        session: Session,
        call: Call,
        admitted: Admitted,
        *,
        body: Upload | None,
        headers: Mapping[str, str],
        sink: IO[bytes],
    ) -> Response:
        if session.oauth_session_id is None:
            raise SessionEnded("unknown")
        live = self.client.restore(session.did, session.oauth_session_id)
        try:
            return live.request(
                call.verb,
                f"/xrpc/{call.nsid}",
                params=call.params,
                headers=_headers(headers, admitted),
                body=body,
                sink=sink,
                deadline=Deadline.after(_budget(call, body)),
                limit=self.sizes.for_answer,
            )
        except HostFailing as error:  # a refresh came first, and was too much
            if error.status != 429:
                raise
            wait = self.pauses.begin(session.did, call.verb, error.headers)
            raise HostLimited(wait) from error

    def _judge(self, did: Did, call: Call, response: Response) -> None:
        """Raise what is no answer to this call, but news of the host."""
        status, host = response.status, host_of(response.url)
        if status == 429:
            raise HostLimited(self.pauses.begin(did, call.verb, response.headers))
        if 300 <= status < 400:
            raise ServerInvalid(host, "it redirects a call")
        if not 200 <= status < 600:  # after 1xx, a proxy awaits another answer of ours
            raise ServerInvalid(host, f"its status is {status}")
        is_page = status >= 500 and response.content_type != JSON
        if status in OUTAGES or is_page:
            raise HostFailing(host, status)


def _document(body: Upload | None) -> object:
    """Read a body that is to be judged."""
    if body is None:
        raise CallMalformed("it needs a body")
    body.file.seek(0)
    try:
        return parse_json(body.file.read(body.size))
    except ValueError as error:
        raise CallMalformed("its body is not JSON of one meaning") from error


def _headers(given: Mapping[str, str], admitted: Admitted) -> dict[str, str]:
    service = {"atproto-proxy": admitted.service} if admitted.service else {}
    return {**given, **service}


def _budget(call: Call, body: Upload | None) -> float:
    if call.verb == "GET" and call.nsid in BULK:
        return LONGEST_BUDGET
    carrying = body.size / SPEED if body else 0.0
    return min(CALL_BUDGET + carrying, LONGEST_BUDGET)
