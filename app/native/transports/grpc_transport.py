"""The gRPC transport: starts a login, and awaits its outcome on a stream.

The app gives the address: it does not follow from the service's URL. The token travels
over this channel, so a channel to another machine is always TLS. This module imports
`grpc`, and no other module imports this one before an app chooses it. `app/native/wire`
is a symbolic link to the service's messages, so that the package is complete by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..errors import (
    LoginRefused,
    NotALatchkeyServer,
    ServerUnreachable,
    ServerUrlInvalid,
    TransportMissing,
    printable,
)
from ..records import LoginStarted
from ..urls import is_loopback
from . import responses
from .connection import Connection
from .http_transport import HttpTransport
from .transport import (
    ACKNOWLEDGEMENT,
    Answer,
    Claim,
    Completed,
    Initiation,
    Pending,
)

try:
    import grpc

    from ..wire import auth_pb2 as wire
    from ..wire.auth_pb2_grpc import AuthServiceStub
except ImportError as error:
    raise TransportMissing(
        "gRPC needs the packages grpcio and protobuf: install them, or use HTTP"
    ) from error

INITIATING: Final = 30.0
"""Seconds: the service asks other servers meanwhile."""
ANSWERING: Final = 10.0
"""Seconds for an answer that needs no waiting."""
ACKNOWLEDGING: Final = 5.0
"""Seconds: the person watches, and a lost acknowledgement is harmless."""
ASK_AGAIN: Final = 2.0
"""Seconds after a stream that ended without an outcome."""
CALL_LIMIT: Final = 120.0
"""Seconds of one call, so that a dead connection is noticed by then. Servers refuse
clients that send keepalive pings more often."""
OPTIONS: Final = [
    ("grpc.max_receive_message_length", 65_536),
    # The service is asked again by `OutcomeFetcher`. gRPC's own retries may lose a call
    # while the service restarts: it then hangs, beyond its time limit and whether it is
    # cancelled or not (grpc/grpc issue 41036; seen with grpcio 1.76 to 1.85).
    ("grpc.enable_retries", 0),
]
LOCAL_OPTIONS: Final = [*OPTIONS, ("grpc.enable_http_proxy", 0)]
"""For this machine: without them, gRPC would send the token to `http_proxy`."""
PASSING: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
    }
)


class GrpcTransport:
    """Speaks gRPC with one service; threads may share it."""

    def __init__(
        self,
        target: str,
        *,
        tls: bool | None = None,
        ca_bundle: Path | None = None,
        call_limit: float = CALL_LIMIT,
    ) -> None:
        """Name the address: `host:port` or `unix:path`. Nothing is contacted.

        `tls` is by default on, except for addresses of this machine. `ca_bundle`
        replaces the usual certificates. `call_limit` is the seconds of one call.

        Raises ServerUrlInvalid for another machine without TLS.
        """
        is_local = target.startswith("unix:") or is_loopback(_host(target))
        if tls is False and not is_local:
            raise ServerUrlInvalid("gRPC without TLS is for this machine only")
        self._target = target
        self._options = LOCAL_OPTIONS if is_local else OPTIONS
        self._call_limit = call_limit
        self._tls = not is_local if tls is None else tls
        self._roots = None if ca_bundle is None else ca_bundle.read_bytes()
        self._http = HttpTransport(ca_bundle=ca_bundle)

    def initiate(self, server_url: str, initiation: Initiation) -> LoginStarted:  # noqa: ARG002 # the address is the target
        """Start a login: InitiateLogin."""
        request = wire.InitiateLoginRequest(
            identifier=initiation.identifier,
            app_name=initiation.app_name or "",
            code_challenge=initiation.code_challenge,
        )
        with self._stub() as stub, _translated():
            begun = stub.InitiateLogin(request, timeout=INITIATING)
        return responses.initiated(_fields(begun))

    def ask(self, claim: Claim, connection: Connection, *, wait: bool) -> Answer:
        """Ask once: AwaitLogin, up to the message with the outcome."""
        timeout = self._call_limit if wait else ANSWERING
        with self._stub() as stub, _translated():
            call = stub.AwaitLogin(_request(claim), timeout=timeout)
            with connection.closed_by(call.cancel):
                try:
                    return _read(call, connection, wait=wait)
                except grpc.RpcError as error:
                    if not (connection.was_answered and _is_late(error)):
                        raise
                    return Pending()  # the call's time limit, not a failure

    def acknowledge(self, claim: Claim) -> None:
        """Tell the service that the token is stored; the stream ends empty."""
        with self._stub() as stub, _translated():
            request = _request(claim, last_event_id=ACKNOWLEDGEMENT)
            for _message in stub.AwaitLogin(request, timeout=ACKNOWLEDGING):
                raise NotALatchkeyServer(
                    "the acknowledgement was answered with an outcome"
                )

    def refresh(self, server_url: str, refresh_token: str) -> Completed:  # noqa: ARG002 # the address is the target
        """Renew a token: RefreshToken."""
        request = wire.RefreshTokenRequest(refresh_token=refresh_token)
        with self._stub() as stub, _translated():
            completed = stub.RefreshToken(request, timeout=ANSWERING)
        return responses.refreshed(_fields(completed))

    def end_session(self, server_url: str, token: str) -> None:
        """Have the service end the session of a token, over HTTP."""
        self._http.end_session(server_url, token)

    @contextmanager
    def _stub(self) -> Iterator[Any]:
        """Open a channel for one call: nothing stays open between two."""
        with self._channel() as channel:
            yield AuthServiceStub(channel)

    def _channel(self) -> grpc.Channel:
        if not self._tls:
            return grpc.insecure_channel(self._target, options=self._options)
        credentials = grpc.ssl_channel_credentials(self._roots)
        return grpc.secure_channel(self._target, credentials, options=self._options)


def _read(call: Any, connection: Connection, *, wait: bool) -> Answer:
    """Read a stream up to the message with the outcome, or to its end."""
    for message in call:
        connection.note_answer()
        answer = responses.answer(_document(message))
        if not (wait and isinstance(answer, Pending)):
            return answer
    connection.raise_if_cancelled()
    if not connection.was_answered:
        raise NotALatchkeyServer("the stream ended before its first message")
    return Pending(ASK_AGAIN)


def _is_late(error: Any) -> bool:
    return error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def _request(claim: Claim, *, last_event_id: str = "") -> wire.AwaitLoginRequest:
    return wire.AwaitLoginRequest(
        session_id=claim.session_id,
        code_verifier=claim.verifier,
        last_event_id=last_event_id,
    )


def _document(message: wire.AwaitLoginResponse) -> dict[str, Any]:
    """Return a message as the JSON object that HTTP would have sent."""
    status = message.WhichOneof("outcome")
    if status is None:
        return {}
    return {"status": status, **_fields(getattr(message, status))}


def _fields(message: Any) -> dict[str, Any]:
    return {
        field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields
    }


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise _as_error(error) from error


def _as_error(error: Any) -> LoginRefused | ServerUnreachable:
    """Return the exception for a status; the service's own errors name their code."""
    trailing = dict(error.trailing_metadata() or ())
    after = responses.parse_seconds(trailing.get("retry-after"))
    details = printable(error.details(), limit=200)
    document = {
        "error": trailing.get("latchkey-error"),
        "error_description": details,
        "reference": trailing.get("latchkey-reference"),
    }
    is_passing = error.code() in PASSING
    refusal = responses.refusal(document, retry_after=after, is_passing=is_passing)
    if refusal is not None:
        return refusal
    if is_passing:
        return ServerUnreachable(
            f"the service cannot be reached: {details}", retry_after=after
        )
    return NotALatchkeyServer(f"no sign-in service answers there: {details}")


def _host(target: str) -> str:
    """Return the host of a target, without the scheme `dns:`."""
    address = target.removeprefix("dns:").lstrip("/")
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] or address
