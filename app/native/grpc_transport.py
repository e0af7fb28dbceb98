"""The service over gRPC: the same flows, for apps that speak it anyway.

The address is the app's to give, since nothing of the service's URL leads to it. The
token travels on it, so what leaves this machine is always TLS. `grpc` is imported with
this module, and this module only by who chooses it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from . import responses
from .errors import (
    LoginRefused,
    ServerUnknown,
    ServerUnreachable,
    ServerUrlInvalid,
    TransportMissing,
    printable,
)
from .http_transport import HttpTransport
from .transport import KEPT, Pending
from .urls import is_loopback

try:
    import grpc

    from app.wire.latchkey.v1 import auth_pb2 as wire
    from app.wire.latchkey.v1.auth_pb2_grpc import AuthServiceStub
except ImportError as error:
    raise TransportMissing(
        "gRPC needs the packages grpcio and protobuf: install them, or use HTTP"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .connection import Line
    from .transport import Answer, Claim, Initiated, Initiation

T = TypeVar("T")

INITIATING: Final = 30.0
LOOKING: Final = 10.0
ACKNOWLEDGING: Final = 5.0
RETRY: Final = 2.0
LASTING: Final = 120.0
"""Seconds of one call: a connection that died without a word is found out when it ends.
Servers take offence at clients that ping as often."""
OPTIONS: Final = [("grpc.max_receive_message_length", 65_536)]
FAILING: Final = frozenset(
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
        lasting: float = LASTING,
    ) -> None:
        """Name the address: `host:port`, or `unix:path`. Nothing is contacted.

        Without a word about `tls`, only addresses of this machine are spoken to in
        clear. `ca_bundle` stands in for the usual certificates.

        Raises:
            ServerUrlInvalid: in clear, to another machine.
        """
        is_local = target.startswith("unix:") or is_loopback(_host(target))
        if tls is False and not is_local:
            raise ServerUrlInvalid("gRPC without TLS is for this machine only")
        self._target = target
        self._lasting = lasting
        self._tls = not is_local if tls is None else tls
        self._roots = None if ca_bundle is None else ca_bundle.read_bytes()
        self._http = HttpTransport(ca_bundle=ca_bundle)

    def initiate(self, server_url: str, initiation: Initiation) -> Initiated:  # noqa: ARG002 # the address is the target
        """Start a login: InitiateLogin."""
        request = wire.InitiateLoginRequest(
            identifier=initiation.identifier,
            app_name=initiation.app_name or "",
            code_challenge=initiation.code_challenge,
        )
        with self._stub() as stub, _translated():
            begun = stub.InitiateLogin(request, timeout=INITIATING)
        return responses.initiated(_fields(begun))

    def attend(self, claim: Claim, line: Line, *, patiently: bool) -> Answer:
        """Ask once: AwaitLogin, up to the message that decides."""
        timeout = self._lasting if patiently else LOOKING
        with self._stub() as stub, _translated():
            call = stub.AwaitLogin(_request(claim), timeout=timeout)
            with line.carries(call.cancel):
                try:
                    return _listen(call, line, patiently=patiently)
                except grpc.RpcError as error:
                    if not (line.is_heard and _is_late(error)):
                        raise
                    return Pending()  # the end of this call's time, and no more

    def acknowledge(self, claim: Claim) -> None:
        """Say that the token is kept; the stream ends empty."""
        with self._stub() as stub, _translated():
            request = _request(claim, last_event_id=KEPT)
            for _message in stub.AwaitLogin(request, timeout=ACKNOWLEDGING):
                raise ServerUnknown("the acknowledgement was answered with an outcome")

    def end_session(self, server_url: str, token: str) -> None:
        """Have the service end the session of a token: over HTTP, as for any token."""
        self._http.end_session(server_url, token)

    @contextmanager
    def _stub(self) -> Iterator[Any]:
        """Open a channel for one call: nothing stays open between two."""
        with self._channel() as channel:
            yield AuthServiceStub(channel)

    def _channel(self) -> grpc.Channel:
        if not self._tls:
            return grpc.insecure_channel(self._target, options=OPTIONS)
        credentials = grpc.ssl_channel_credentials(self._roots)
        return grpc.secure_channel(self._target, credentials, options=OPTIONS)


def _listen(call: Any, line: Line, *, patiently: bool) -> Answer:
    """Read a stream up to the message that decides, or to its end."""
    for message in call:
        line.heard()
        answer = responses.answer(_outcome(message))
        if not (patiently and isinstance(answer, Pending)):
            return answer
    line.raise_if_cut()
    if not line.is_heard:
        raise ServerUnknown("the stream ended before its first message")
    return Pending(RETRY)


def _is_late(error: Any) -> bool:
    return error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def _request(claim: Claim, *, last_event_id: str = "") -> wire.AwaitLoginRequest:
    return wire.AwaitLoginRequest(
        session_id=claim.session_id,
        code_verifier=claim.verifier,
        last_event_id=last_event_id,
    )


def _outcome(message: wire.AwaitLoginResponse) -> dict[str, Any]:
    """Return a message as the document that HTTP would have sent."""
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
        raise _named(error) from error


def _named(error: Any) -> LoginRefused | ServerUnreachable:
    """Return what a status means: an error that names its code is the service's own."""
    trailing = dict(error.trailing_metadata() or ())
    after = responses.parse_seconds(trailing.get("retry-after"))
    details = printable(error.details(), limit=200)
    document = {
        "error": trailing.get("latchkey-error"),
        "error_description": details,
        "reference": trailing.get("latchkey-reference"),
    }
    is_passing = error.code() in FAILING
    refusal = responses.refusal(document, retry_after=after, is_passing=is_passing)
    if refusal is not None:
        return refusal
    if is_passing:
        return ServerUnreachable(
            f"the service cannot be reached: {details}", retry_after=after
        )
    return ServerUnknown(f"no sign-in service answers there: {details}")


def _host(target: str) -> str:
    """Return the host of a target, without gRPC's scheme for DNS."""
    address = target.removeprefix("dns:").lstrip("/")
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] or address
