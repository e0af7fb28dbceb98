"""The gRPC transport: streams through failures, TLS, targets."""

from __future__ import annotations

import socketserver

import grpc
import pytest

from app.native import (
    LoginCancelled,
    LoginDenied,
    LoginExpired,
    LoginRefused,
    NotALatchkeyServer,
    ServerUnreachable,
    ServerUrlInvalid,
)
from app.native.transports.grpc_transport import LOCAL_OPTIONS, OPTIONS, GrpcTransport
from tests.fakes.certificates import Authority
from tests.native.fake_server import FakeServer
from tests.native.grpc_server import FakeAuthService, serving

URL = "https://auth.example.org"


@pytest.fixture
def fake():
    return FakeServer()


@pytest.fixture
def service(fake):
    return FakeAuthService(fake)


@pytest.fixture
def port(service):
    with serving(service) as port:
        yield port


@pytest.fixture
def auth(open_app, port):
    return open_app(transport=GrpcTransport(f"127.0.0.1:{port}"))


def test_await_after_approval_returns_and_stores_the_session(
    auth, fake, service, later
):
    started = auth.start_login(URL, "alice.example.com", app_name="Relay")
    waiting = later(lambda: auth.await_login(started.session_id))
    with fake.changed:
        assert fake.changed.wait_for(lambda: service.asked, 20)
    fake.decide("completed")

    session = waiting.result()

    assert session == auth.get_session()
    assert (session.server_url, session.token) == (URL, "a.b.c")
    assert session.handle is None
    assert fake.only().app_name == "Relay"
    assert service.asked == ["", "completed"]
    assert fake.only().acknowledged


@pytest.mark.parametrize("options", [OPTIONS, LOCAL_OPTIONS])
def test_channel_has_no_retries_of_its_own_in_which_a_call_can_hang(options):
    assert dict(options)["grpc.enable_retries"] == 0


@pytest.mark.parametrize(
    ("decision", "error"), [("denied", LoginDenied), ("expired", LoginExpired)]
)
def test_await_of_a_denied_or_expired_login_raises(auth, fake, decision, error):
    started = auth.start_login(URL, "alice.example.com")
    fake.decide(decision)

    with pytest.raises(error):
        auth.await_login(started.session_id)


@pytest.mark.parametrize(
    ("status", "trailing"),
    [
        (grpc.StatusCode.UNAVAILABLE, {}),
        (grpc.StatusCode.INTERNAL, {"latchkey-error": "internal"}),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            {"latchkey-error": "too_many_requests", "retry-after": "0"},
        ),
        (grpc.StatusCode.UNIMPLEMENTED, {}),
    ],
)
def test_await_after_three_failures_returns_the_session(
    auth, fake, service, status, trailing
):
    started = auth.start_login(URL, "alice.example.com")
    service.faults.extend([(status, trailing)] * 3)
    fake.decide("completed")

    assert auth.await_login(started.session_id).token == "a.b.c"


def test_await_during_a_restart_returns_the_session(open_app, fake, service, later):
    with serving(service) as port:
        auth = open_app(transport=GrpcTransport(f"127.0.0.1:{port}"))
        started = auth.start_login(URL, "alice.example.com")
        waiting = later(lambda: auth.await_login(started.session_id))
        with fake.changed:
            assert fake.changed.wait_for(lambda: service.asked, 20)

    fake.decide("completed")
    with serving(service, f"127.0.0.1:{port}"):
        assert waiting.result().token == "a.b.c"


def test_call_at_its_limit_is_repeated_without_trouble(open_app, fake, service, port):
    """A dead connection is noticed by then; on a live one nothing is lost."""
    auth = open_app(transport=GrpcTransport(f"127.0.0.1:{port}", call_limit=0.4))
    started = auth.start_login(URL, "alice.example.com")
    troubles = []

    def tell(waiting):
        troubles.append(waiting.trouble)
        if len(service.asked) > 1:
            fake.decide("completed")

    session = auth.await_login(started.session_id, timeout=20, on_wait=tell)

    assert session.token == "a.b.c"
    assert len(service.asked) > 2
    assert set(troubles) == {None}


def test_cancel_ends_an_await_with_login_cancelled(auth, fake, service, later):
    started = auth.start_login(URL, "alice.example.com")
    waiting = later(lambda: auth.await_login(started.session_id))
    with fake.changed:
        assert fake.changed.wait_for(lambda: service.asked, 20)

    auth.cancel(started.session_id)

    with pytest.raises(LoginCancelled):
        waiting.result()


def test_start_with_refusal_raises_login_refused_with_its_words(auth, service):
    service.refusal = (
        grpc.StatusCode.UNAVAILABLE,
        {
            "latchkey-error": "host_unreachable",
            "latchkey-reference": "ABC123",
            "retry-after": "30",
        },
    )

    with pytest.raises(LoginRefused) as refused:
        auth.start_login(URL, "alice.example.com")

    assert refused.value.code == "host_unreachable"
    assert str(refused.value) == "It did not work."
    assert (refused.value.reference, refused.value.retry_after) == ("ABC123", 30.0)
    assert refused.value.is_passing


def test_start_with_unimplemented_raises_not_a_latchkey_server(auth, service):
    service.refusal = (grpc.StatusCode.UNIMPLEMENTED, {})

    with pytest.raises(NotALatchkeyServer):
        auth.start_login(URL, "alice.example.com")


def test_start_with_closed_port_raises_server_unreachable(open_app):
    auth = open_app(transport=GrpcTransport("127.0.0.1:9"))

    with pytest.raises(ServerUnreachable):
        auth.start_login(URL, "alice.example.com")


def test_await_with_wrong_verifier_raises_login_refused(auth, fake):
    started = auth.start_login(URL, "alice.example.com")
    fake.only().challenge = "x" * 43

    with pytest.raises(LoginRefused) as refused:
        auth.await_login(started.session_id)

    assert refused.value.code == "wrong_verifier"


@pytest.mark.parametrize(
    "target", ["auth.example.org:50051", "192.0.2.7:50051", "dns:///auth.example.org"]
)
def test_target_on_another_machine_without_tls_raises(target):
    with pytest.raises(ServerUrlInvalid):
        GrpcTransport(target, tls=False)

    assert GrpcTransport(target)._tls


@pytest.mark.parametrize(
    "target", ["127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/run/x.sock"]
)
def test_target_on_this_machine_has_no_tls_by_default(target):
    assert not GrpcTransport(target)._tls
    assert GrpcTransport(target, tls=True)._tls


def test_start_with_unknown_authority_raises_server_unreachable_over_grpc(
    open_app, service, tmp_path
):
    authority = Authority(tmp_path)
    authority.context_for("localhost")
    stranger = Authority(tmp_path, name="Another Authority")
    with serving(service, tls=tmp_path / "localhost.pem") as port:
        target = f"localhost:{port}"
        trusting = GrpcTransport(target, tls=True, ca_bundle=authority.bundle)
        wary = GrpcTransport(target, tls=True, ca_bundle=stranger.bundle)

        assert open_app(transport=trusting).start_login(URL, "alice.example.com")
        with pytest.raises(ServerUnreachable):
            open_app(transport=wary).start_login(URL, "alice.example.com")


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_local_target_ignores_proxies_of_the_environment(
    open_app, port, monkeypatch, variable, host
):
    """A proxy would see the token in clear text."""
    asked = socketserver.TCPServer(("127.0.0.1", 0), None)
    with asked as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.server_address[1]}")
        auth = open_app(transport=GrpcTransport(f"{host}:{port}"))

        assert auth.start_login(URL, "alice.example.com")
        proxy.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            proxy.socket.accept()
