"""A sign-in service over gRPC on loopback: the logins are the fake HTTP service's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from app.wire.latchkey.v1 import auth_pb2 as wire
from app.wire.latchkey.v1 import auth_pb2_grpc as stubs
from tests.native.fake_server import FakeLogin, FakeServer, challenge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeAuthService(stubs.AuthServiceServicer):
    """Answers as the contract says; `faults` are raised first, one for each await."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.faults: list[tuple[grpc.StatusCode, dict[str, str]]] = []
        self.refusal: tuple[grpc.StatusCode, dict[str, str]] | None = None
        self.asked: list[str] = []

    def InitiateLogin(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.refusal is not None:
            fail(context, *self.refusal)
        session_id = f"grpc-session-{len(self.server.logins):030d}"
        self.server.logins[session_id] = FakeLogin(
            request.identifier, request.app_name, request.code_challenge
        )
        return wire.InitiateLoginResponse(
            oauth_url="https://auth.example.org/auth/native/open?login=x",
            session_id=session_id,
            user_code="BCDF-GHJK",
            expires_in=1800,
        )

    def AwaitLogin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        with self.server.changed:
            self.asked.append(request.last_event_id)
            self.server.changed.notify_all()
        if self.faults and not request.last_event_id:
            fail(context, *self.faults.pop(0))
        login = self.server.logins.get(request.session_id)
        if login is None:
            fail(
                context, grpc.StatusCode.NOT_FOUND, {"latchkey-error": "login_expired"}
            )
        if challenge(request.code_verifier) != login.challenge:
            fail(
                context,
                grpc.StatusCode.PERMISSION_DENIED,
                {"latchkey-error": "wrong_verifier"},
            )
        if request.last_event_id == "completed":
            login.acknowledged = True
            return
        yield from self._outcomes(login)

    def RefreshToken(self, request: Any, context: Any) -> Any:  # noqa: N802
        document = self.server.refresh(request.refresh_token, self.server.only())
        if document is None:
            error = {"latchkey-error": "invalid_grant"}
            fail(context, grpc.StatusCode.UNAUTHENTICATED, error)
            return None
        return wire.Completed(**{k: v for k, v in document.items() if k != "status"})

    def _outcomes(self, login: FakeLogin) -> Iterator[Any]:
        if login.status == "pending":
            yield wire.AwaitLoginResponse(pending=wire.Pending())
            with self.server.changed:
                self.server.changed.wait_for(
                    lambda: login.status != "pending" or self.server.is_stopping, 20
                )
        if login.status == "denied":
            yield wire.AwaitLoginResponse(denied=wire.Denied())
        elif login.status == "completed" and not login.acknowledged:
            login.delivered.append("a.b.c")
            done = wire.Completed(
                token="a.b.c",
                did="did:plc:alice",
                username="alice",
                expires_in=3600,
                refresh_token="refresh-0" if self.server.refreshes else "",
            )
            self.server.refresh_tokens = ["refresh-0"]
            yield wire.AwaitLoginResponse(completed=done)
        elif login.status != "pending":
            yield wire.AwaitLoginResponse(expired=wire.Expired())


def fail(context: Any, code: grpc.StatusCode, trailing: dict[str, str]) -> None:
    context.set_trailing_metadata(tuple(trailing.items()))
    context.abort(code, "It did not work.")


@contextmanager
def serving(
    service: FakeAuthService, address: str = "127.0.0.1:0", *, tls: Path | None = None
) -> Iterator[int]:
    """Serve until the block ends, and hand out the port."""
    server = grpc.server(ThreadPoolExecutor(8))
    stubs.add_AuthServiceServicer_to_server(service, server)
    if tls is None:
        port = server.add_insecure_port(address)
    else:
        pair = (tls.read_bytes(), tls.read_bytes())
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    service.server.is_stopping = False
    server.start()
    try:
        yield port
    finally:
        with service.server.changed:
            service.server.is_stopping = True
            service.server.changed.notify_all()
        server.stop(None).wait(10)
