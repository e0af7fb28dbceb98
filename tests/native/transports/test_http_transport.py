"""The HTTP transport: long polls through network failures, TLS, proxies."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from select import select
from threading import Event
from types import SimpleNamespace

import pytest
import requests

from app.native import (
    Clock,
    HttpTransport,
    LoginCancelled,
    LoginExpired,
    LoginRefused,
    MemoryStore,
    ServerUnreachable,
)
from app.native.transports import http_client
from app.native.transports.http_client import HttpClient
from app.native.transports.http_transport import pause_after
from tests.fakes.certificates import Authority
from tests.native.fake_server import DID, FakeServer

PENDING = {"status": "pending"}
LATE = Clock(wall=lambda: time.time() + 3600)


@pytest.fixture
def started(auth, server):
    return auth.start_login(server.url, "alice.example.com")


def dropped_at_once(wire):
    wire.drops()


def dropped_within_the_head(wire):
    wire.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/js")
    wire.drops()


def dropped_within_the_body(wire):
    """The token is on its way, and the end of its document is not."""
    wire.begins(200, "application/json", length=4096)
    wire.wfile.write(b'{"status": "completed", "token": "a.b.c"')
    wire.drops()


def dropped_before_the_body(wire):
    wire.begins(200, "application/json", length=4096)
    wire.drops()


def document_without_a_token(wire):
    wire.sends_json(200, {"status": "completed"})


def stream_in_place_of_a_poll(wire):
    wire.begins_stream()
    wire.event("pending", PENDING)
    wire.ends_stream()


def pending_at_once(wire):
    """The service stops: it answers early, and another process goes on."""
    wire.sends_json(202, PENDING, retry_after=0)


def proxy_without_service(wire):
    wire.sends(502, "text/html", b"<h1>Bad gateway</h1>")


def proxy_with_a_long_page(wire):
    wire.sends(504, "text/html", b"<p>Gateway timeout</p>" * 10_000)


def service_that_starts(wire):
    wire.sends(503, "text/plain", b"", Retry_After="0")


def portal_of_a_hotel(wire):
    wire.sends(200, "text/html", b"<h1>Welcome</h1>")


def login_page_of_a_proxy(wire):
    wire.sends(302, "text/html", b"", Location="http://127.0.0.1:9/portal")


def too_many_polls(wire):
    wire.refuses(429, "too_many_requests", retry_after=0)


def internal_error(wire):
    wire.refuses(500, "internal")


def unknown_status(wire):
    wire.sends_json(200, {"status": "news"})


def no_json(wire):
    wire.sends(200, "application/json", b"hello")


def deep_json(wire):
    wire.sends(200, "application/json", b"[" * 60_000)


def endless_json(wire):
    wire.sends(200, "application/json", b" " * 100_000 + b"{}")


def too_many_headers(wire):
    wire.sends(202, "application/json", b"{}", **{f"x{n}": "y" for n in range(200)})


FAULTS = [
    dropped_at_once,
    dropped_within_the_head,
    dropped_within_the_body,
    dropped_before_the_body,
    document_without_a_token,
    stream_in_place_of_a_poll,
    pending_at_once,
    proxy_without_service,
    proxy_with_a_long_page,
    service_that_starts,
    portal_of_a_hotel,
    login_page_of_a_proxy,
    too_many_polls,
    internal_error,
    unknown_status,
    no_json,
    deep_json,
    endless_json,
    too_many_headers,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_await_after_three_faults_returns_the_session(auth, server, started, fault):
    server.faults.extend([fault] * 3)
    server.decide("completed")

    session = auth.await_login(started.session_id, timeout=60)

    assert session.did == DID
    assert not server.faults
    assert server.only().acknowledged


@pytest.mark.parametrize(
    "fault", [dropped_within_the_body, dropped_before_the_body, unknown_status]
)
def test_await_with_incomplete_answer_does_not_acknowledge(
    auth, server, started, fault
):
    server.faults.append(fault)
    server.decide("completed")

    session = auth.await_login(started.session_id)

    sent = [one.headers.get("last-event-id") for one in server.awaits()]
    assert sent == [None, None, "completed"]
    assert server.only().delivered == [session.token]


@pytest.mark.parametrize(
    ("retry_after", "elapsed", "pause"),
    [("2", 0.5, 1.5), ("2", 25.0, 0.0), ("60", 25.0, 35.0), (None, 1.5, 0.5)],
)
def test_pause_between_polls_counts_from_the_request(retry_after, elapsed, pause):
    """So a poll that lasted is followed by the next one at once."""
    assert pause_after(retry_after, elapsed) == pause


def holds(server):
    """Accept a request and send nothing until the service stops."""

    def hold(wire):
        with server.changed:
            server.changed.wait_for(lambda: server.is_stopping, 60)
        wire.drops()

    return hold


def test_await_after_sleep_replaces_the_open_poll(open_app, server, later):
    """The machine has slept: the other end of the connection may be gone."""
    hours = SimpleNamespace(asleep=0.0)
    clock = Clock(wall=lambda: time.time() + hours.asleep)
    auth = open_app(clock=clock, transport=HttpTransport(longest_wait=300))
    started = auth.start_login(server.url, "alice.example.com")
    server.faults.append(holds(server))
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)

    hours.asleep = 600.0
    server.wait_for(2)
    server.decide("completed")

    assert waiting.result().did == DID


def test_cancel_closes_the_open_poll(auth, server, started, later):
    server.faults.append(holds(server))
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)

    auth.cancel(started.session_id)

    with pytest.raises(LoginCancelled):
        waiting.result()
    for thread in threading.enumerate():
        if thread.name == "latchkey-await":
            thread.join(20)
            assert not thread.is_alive()


def test_response_that_drips_ends_at_the_deadline(server):
    """Each byte comes in time, and the response would never end."""

    def drip(wire):
        wire.begins(200, "application/json", length=4096)
        with server.changed, suppress(OSError):
            while not server.changed.wait_for(lambda: server.is_stopping, 0.05):
                wire.wfile.write(b" ")

    server.faults.append(drip)
    client = HttpClient(user_agent="test")

    with pytest.raises(ServerUnreachable):
        client.send("GET", f"{server.url}/x/await", headers={}, within=0.3)


def test_await_during_a_restart_returns_the_session(auth, server, started, later):
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)

    server.stop()
    server.start()
    server.wait_for(2)
    server.decide("completed")

    assert waiting.result().did == DID


@pytest.mark.parametrize("code", ["wrong_verifier", "account_disabled"])
def test_await_with_final_refusal_raises_it_and_ends_the_login(
    auth, server, started, code
):
    server.faults.append(lambda wire: wire.refuses(403, code))

    with pytest.raises(LoginRefused) as refused:
        auth.await_login(started.session_id)

    assert refused.value.code == code
    assert auth.pending_login() is None


def test_await_with_a_stolen_session_id_raises_wrong_verifier(
    open_app, server, started
):
    """The verifier never left the app that started the login."""
    server.decide("completed")
    stolen = MemoryStore()
    thief = open_app(store=stolen)
    thief.start_login(server.url, "mallory.example.com")
    text = stolen.read()
    (theirs,) = [one for one in server.logins if one != started.session_id]
    stolen.exchange(lambda _old: text.replace(theirs, started.session_id))

    with pytest.raises(LoginRefused) as refused:
        thief.await_login(started.session_id)

    assert refused.value.code == "wrong_verifier"


def test_requests_have_no_verifier_in_their_url(auth, server, started):
    """Proxies log the URLs of failed requests."""
    server.decide("completed")
    auth.await_login(started.session_id)

    assert len(server.asked) == 3  # initiated, polled and acknowledged
    assert not any(asked.query for asked in server.asked)


def test_await_with_lost_acknowledgement_returns_the_session(open_app, server, started):
    """The session is stored, and the service stops giving out the token by itself."""
    transport = HttpTransport()
    ask = transport.ask

    def then_fails(claim, connection, **options):
        answer = ask(claim, connection, **options)
        server.stop()
        return answer

    transport.ask = then_fails
    auth = open_app(transport=transport)
    server.decide("completed")

    session = auth.await_login(started.session_id)

    assert auth.get_session() == session
    assert not server.only().acknowledged


def test_await_after_local_expiry_asks_once_more(open_app, server):
    """The service decides when a login is over, and our clock may be wrong."""
    server.expires_in = 1
    auth = open_app()
    started = auth.start_login(server.url, "alice.example.com")
    late = open_app(clock=LATE)
    server.decide("completed")

    assert late.await_login(started.session_id).did == DID
    assert server.awaits()[0].headers["prefer"] == "wait=0"


def test_await_after_local_expiry_without_service_raises_login_expired(
    open_app, server, started
):
    server.stop()
    late = open_app(clock=LATE)

    with pytest.raises(LoginExpired) as expired:
        late.await_login(started.session_id)

    assert "refused" in str(expired.value.__cause__)
    assert late.pending_login() is None


def test_start_with_unknown_authority_raises_server_unreachable(open_app, tmp_path):
    """The usual ones do not hold the test's authority; a bundle may."""
    authority = Authority(tmp_path)
    with FakeServer(tls=authority.context_for("localhost")) as server:
        trusting = HttpTransport(ca_bundle=authority.bundle)

        with pytest.raises(ServerUnreachable, match=r"(?i)certificate"):
            open_app().start_login(server.url, "alice.example.com")
        assert server.asked == []

        auth = open_app(transport=trusting)
        started = auth.start_login(server.url, "alice.example.com")
        server.decide("completed")
        assert auth.await_login(started.session_id).server_url == server.url


@contextmanager
def answer_in_two_parts(context: ssl.SSLContext) -> Iterator[tuple[str, Event]]:
    """Serve a head over TLS, and its body when the event is set."""
    is_wanted = Event()

    def serve() -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True) as wire:
            wire.recv(4096)
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
            is_wanted.wait(10)
            wire.sendall(b'{"status":"pending"}')
            wire.recv(4096)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        ThreadPoolExecutor(1) as threads,
    ):
        threads.submit(serve)
        yield f"https://localhost:{listener.getsockname()[1]}", is_wanted


def test_answer_that_arrives_as_its_request_ends_is_not_read_without_tls(tmp_path):
    authority, sockets = Authority(tmp_path), http_client._Sockets()
    with (
        answer_in_two_parts(authority.context_for("localhost")) as (url, is_wanted),
        requests.Session() as session,
    ):
        session.mount("https://", sockets)
        response = session.get(
            url, stream=True, verify=str(authority.bundle), timeout=10
        )
        is_wanted.set()
        select([response.raw], [], [], 10)
        sockets.shut_down()

        assert http_client._body(response.raw) == b'{"status":"pending"}'


def test_start_with_certificate_for_another_host_raises(open_app, tmp_path):
    authority = Authority(tmp_path)
    with FakeServer(tls=authority.context_for("elsewhere.example")) as server:
        auth = open_app(transport=HttpTransport(ca_bundle=authority.bundle))

        with pytest.raises(ServerUnreachable, match=r"(?i)certificate"):
            auth.start_login(server.url, "alice.example.com")

    assert server.asked == []


def test_start_sends_no_password_of_netrc(auth, server, tmp_path, monkeypatch):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login alice password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    auth.start_login(server.url, "alice.example.com")

    assert "authorization" not in server.asked[0].headers


def test_start_on_loopback_ignores_proxies_of_the_environment(
    auth, server, monkeypatch
):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")

    assert auth.start_login(server.url, "alice.example.com")


class Tunnel(socketserver.StreamRequestHandler):
    """A proxy (RFC 9110 section 9.3.6) that leads everywhere to one port of ours."""

    def handle(self):
        while self.rfile.readline().strip():
            continue
        self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.server.leads_to)) as there:
            back = threading.Thread(target=carry, args=[there, self.connection])
            back.start()
            carry(self.connection, there)
            back.join(10)


def carry(source, target):
    with suppress(OSError):  # one side has hung up already
        while part := source.recv(8192):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def tunnel():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as proxy:
        running = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        running.start()
        yield proxy
        proxy.shutdown()
        running.join(10)


def test_ca_bundle_replaces_the_bundle_of_the_environment(
    open_app, tmp_path, monkeypatch, tunnel
):
    """Beyond this machine the environment's proxy is used; its certificates are not."""
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    with FakeServer(tls=ours.context_for("auth.example.org")) as server:
        tunnel.leads_to = int(server.url.rpartition(":")[2])
        monkeypatch.setenv(
            "https_proxy", f"http://127.0.0.1:{tunnel.server_address[1]}"
        )
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(others.bundle))
        auth = open_app(transport=HttpTransport(ca_bundle=ours.bundle))

        assert auth.start_login("https://auth.example.org", "alice.example.com")


def test_body_that_ends_early_raises_although_it_is_valid_json(server):
    def cut(wire):
        wire.begins(200, "application/json", length=4096)
        wire.wfile.write(b'{"status": "denied"}')
        wire.drops()

    server.faults.append(cut)
    client = HttpClient(user_agent="test")

    with pytest.raises(ServerUnreachable):
        client.send("GET", f"{server.url}/x/await", headers={}, within=20)
