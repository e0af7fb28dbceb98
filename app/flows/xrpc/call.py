"""A call on a person's PDS (/auth/xrpc), for a service that the person visits.

The service shows the platform token; tokens and keys of the host never leave us
(requirement 7.22). The call goes to the person's own PDS alone, if `XRPC_ALLOW` names
it, and its answer comes back as it is, but for outages and limits. Each call of a
session leaves a row in the audit trail: who, what and how it ended, and no content.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Final, Self

from app.atproto.client import OAuthClient
from app.atproto.errors import HostFailing, ServerInvalid, SessionEnded, printable
from app.atproto.http.types import Deadline, Response, Upload
from app.atproto.syntax.foreign_json import parse_json
from app.atproto.syntax.grammar import Did, host_of
from app.flows.errors import (
    CallMalformed,
    HostRateLimited,
    NotSignedIn,
)
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.limits.networks import hit_networks
from app.flows.login.client_refusals import ClientRefusals
from app.flows.ports import RateLimit, Session
from app.flows.sessions.session import Identified, Identify
from app.telemetry.events import CallEnded, Observer, ignore
from app.tokens.errors import TokenInvalid

from .allow_list import JSON, UPLOAD_BLOB, Admitted, Call, XrpcAllowList
from .call_audit import CallAudit
from .retry_after import RetryAfter
from .spool import Spool

CALL_BUDGET: Final = 9.0
"""Seconds for a call with all its attempts: an answer comes within ten."""

LONGEST_BUDGET: Final = 25.0
"""Seconds for a large body: less than a restart waits for requests under way."""

SPEED: Final = 2_000_000
"""Bytes in a second that a connection to a PDS is expected to carry."""

BULK: Final = frozenset(
    {"com.atproto.sync.getBlob", "com.atproto.sync.getRepo", UPLOAD_BLOB}
)
"""Methods whose bodies are large, in one direction or the other."""

OUTAGES: Final = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the PDS said: a success with its body in `file`, an error in `body`.

    It keeps its file and the person's place until `close` is called: an answer that is
    read slowly, or never, is one of the few that a person may have at once.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    file: IO[bytes] = field(repr=False)
    close: Callable[[], None] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPds:
    """GET and POST /auth/xrpc/NSID: authenticate, then `begin` one call."""

    identify: Identify
    client: OAuthClient
    allowed: XrpcAllowList
    max_json: int
    """Bytes of a body; `max_blob` for uploads, and the larger one for answers."""
    max_blob: int
    rates: RateLimit
    retry_after: RetryAfter
    concurrency: ConcurrencyLimit
    concurrency_of_pds: ConcurrencyLimit
    pds_of: Callable[[Did, str], str]
    """From an OAuth session to the host of its PDS, "" if there is none."""
    spool: Spool
    refusals: ClientRefusals
    audit: CallAudit
    observe: Observer = ignore

    def authenticate(self, tokens: Collection[str], *, network: str) -> Identified:
        """Return whom the first valid platform token names.

        Raises what `Identify` raises, and:
            TooManyRequests: too many tokens from this network were invalid.
        """
        try:
            return self.identify.first_of(tokens)
        except (NotSignedIn, TokenInvalid):
            hit_networks(self.rates, "token", network)
            raise

    def begin(self, session: Session, call: Call, *, caller: str) -> PdsCall:
        """Return a call that has not been admitted yet.

        `caller` is the origin of the page that calls, or `bearer`.
        """
        return PdsCall(flow=self, session=session, call=call, caller=caller)


@dataclass(slots=True, kw_only=True)
class PdsCall:
    """One call of a person: enter it to have it admitted, `send` it, `record` its end.

    Entering raises:
        TooManyRequests: too many calls of this session, or too many at once.
        CallNotAllowed, CallMalformed: the PDS is not asked.
        HostRateLimited: the PDS has asked us to wait.
    """

    flow: CallPds
    session: Session
    call: Call
    caller: str
    admitted: Admitted = field(default=Admitted(), init=False)
    """Empty until it is known: for a write, until its body is read."""
    _began: float = field(default_factory=time.monotonic, init=False)
    _is_write: bool = field(default=False, init=False)
    _is_counted: bool = field(default=False, init=False)
    _is_sent: bool = field(default=False, init=False)
    _kept: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        flow, did = self.flow, self.session.did
        flow.rates.hit("call", did)
        self._is_counted = True
        admitted = flow.allowed.admit(self.call, did)
        self._is_write = admitted is None
        self.admitted = admitted or Admitted()
        flow.retry_after.check(did, self.call.verb)
        self._kept.enter_context(flow.concurrency.hold(did))
        return self

    def __exit__(self, *_error: object) -> None:
        self._kept.close()

    @property
    def most_bytes(self) -> int:
        """How many bytes the caller's body may have."""
        is_upload = self.call.nsid == UPLOAD_BLOB
        return self.flow.max_blob if is_upload else self.flow.max_json

    def send(self, body: Upload | None, headers: Mapping[str, str]) -> Answer:
        """Make the call with the person's session at the host; return the answer.

        Raises:
            CallNotAllowed, CallMalformed: a write that its body decides.
            HostRateLimited: the PDS asks us to wait.
            SessionEnded: sign in again (requirement 7.18).
            AccountUnavailable: requirement 7.21.
            ScopeMissing: a permission was not granted (requirement 8.11).
            HostUnreachable, ServerInvalid, RefreshBusy: the host's fault, or ours.
        """
        if self._is_write:
            self.admitted = self.flow.allowed.admit_writes(
                self.call, _document(body), self.session.did
            )
        file = self._kept.enter_context(self.flow.spool.open())
        response = self._response(body, headers, sink=file)
        self._judge(response)
        file.seek(0)
        return Answer(
            status=response.status,
            headers=response.headers,
            body=response.body,
            file=file,
            close=self._kept.pop_all().close,
        )

    def _response(
        self, body: Upload | None, headers: Mapping[str, str], *, sink: IO[bytes]
    ) -> Response:
        session, call = self.session, self.call
        if session.oauth_session_id is None:
            raise SessionEnded("unknown")
        live = self.flow.client.restore(session.did, session.oauth_session_id)
        host = self.flow.pds_of(session.did, session.oauth_session_id)
        self._kept.enter_context(self.flow.concurrency_of_pds.hold(host))
        self._is_sent = True
        try:
            with self.flow.refusals.watched():
                return live.request(
                    call.verb,
                    f"/xrpc/{call.nsid}",
                    params=call.params,
                    headers=_headers(headers, self.admitted),
                    body=body,
                    sink=sink,
                    deadline=Deadline.after(_budget(call, body)),
                    limit=max(self.flow.max_blob, self.flow.max_json),
                )
        except HostFailing as error:  # a refresh came first and was refused with 429
            if error.status != 429:
                raise
            raise HostRateLimited(self._pause(error.headers)) from error

    def _judge(self, response: Response) -> None:
        """Raise what is no answer to this call, but news of the host."""
        status, host = response.status, host_of(response.url)
        if status == 429:
            raise HostRateLimited(self._pause(response.headers))
        if 300 <= status < 400:
            raise ServerInvalid(host, "it redirects a call")
        if not 200 <= status < 600:  # after 1xx, a proxy awaits another answer of ours
            raise ServerInvalid(host, f"its status is {status}")
        is_page = status >= 500 and response.content_type != JSON
        if status in OUTAGES or is_page:
            raise HostFailing(host, status)

    def _pause(self, headers: Mapping[str, str]) -> float:
        return self.flow.retry_after.begin(self.session.did, self.call.verb, headers)

    def record(self, status: int, reason: str) -> None:
        """Write the end of the call to the audit trail.

        `status` is what the caller was answered, and `reason` the code of our error, if
        the answer is one. Before the rate limit has passed, and while XRPC_ALLOW is
        empty, there is no row: a refusal costs its caller nothing.
        """
        self.flow.observe(CallEnded(status, reason))
        if not self._is_counted or not self.flow.allowed.allowed.permissions:
            return
        detail: dict[str, object] = {
            "nsid": printable(self.call.nsid),
            "method": self.call.verb,
            "collections": list(self.admitted.collections),
            "caller": self.caller,
            "status": status,
            "milliseconds": round(1000 * (time.monotonic() - self._began)),
        }
        if self._is_sent:
            self.flow.audit.record(self.session, detail)
        else:
            self.flow.audit.record_refusal(self.session, reason, detail)


def _document(body: Upload | None) -> object:
    """Read a body that decides whether the call is admitted."""
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
