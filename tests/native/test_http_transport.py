"""What networks do to an await, and how it comes through."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from contextlib import suppress

import pytest

from app.native import (
    Clock,
    HttpTransport,
    LoginExpired,
    LoginRefused,
    MemoryStore,
    ServerUnreachable,
)
from tests.fakes.certificates import Authority

from .fake_server import DID, FakeServer

PENDING = {"status": "pending"}
LATE = Clock(wall=lambda: time.time() + 3600)


@pytest.fixture
def started(auth, server):
    return auth.start_login(server.url, "alice.example.com")


def dropped_at_once(wire):
    wire.drops()


def dropped_after_pending(wire):
    wire.begins_stream()
    wire.event("pending", PENDING)
    wire.drops()


def dropped_within_the_answer(wire):
    """The token is on its way, and its id with it; the blank line is not."""
    wire.begins_stream()
    wire.event("pending", PENDING)
    wire.writes(b'id: completed\nevent: completed\ndata: {"status": "completed"')
    wire.drops()


def ended_after_pending(wire):
    wire.begins_stream()
    wire.event("pending", PENDING)
    wire.ends_stream()


def proxy_without_service(wire):
    wire.sends(502, "text/html", b"<h1>Bad gateway</h1>")


def service_that_starts(wire):
    wire.sends(503, "text/plain", b"", Retry_After="0")


def hotel(wire):
    wire.sends(200, "text/html", b"<h1>Welcome</h1>")


def login_page_of_a_proxy(wire):
    wire.sends(302, "text/html", b"", Location="http://127.0.0.1:9/portal")


def too_many_streams(wire):
    wire.refuses(429, "too_many_requests", retry_after=0)


def its_own_fault(wire):
    wire.refuses(500, "internal")


def odd_event(wire):
    wire.begins_stream()
    wire.event("news", {"status": "news"})
    wire.ends_stream()


def no_json(wire):
    wire.begins_stream()
    wire.writes(b"data: hello\n\n")
    wire.ends_stream()


def endless_line(wire):
    wire.begins_stream()
    for _ in range(9):
        wire.writes(b"x" * 8192)
    wire.ends_stream()


FAULTS = [
    dropped_at_once,
    dropped_after_pending,
    dropped_within_the_answer,
    ended_after_pending,
    proxy_without_service,
    service_that_starts,
    hotel,
    login_page_of_a_proxy,
    too_many_streams,
    its_own_fault,
    odd_event,
    no_json,
    endless_line,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("mode", ["auto", "stream", "poll"])
def test_an_await_comes_through(open_app, server, started, mode, fault):
    auth = open_app(mode=mode)
    server.faults.extend([fault] * 3)
    server.decide("completed")

    session = auth.await_login(started.session_id, timeout=60)

    assert session.did == DID
    assert not server.faults
    assert server.only().acknowledged


def test_a_reconnect_names_the_last_event(open_app, server, started):
    auth = open_app()
    server.faults.append(dropped_after_pending)
    server.decide("completed")

    auth.await_login(started.session_id)

    named = [one.headers.get("last-event-id") for one in server.awaits()]
    assert named == [None, "pending", "completed"]


def test_half_an_answer_acknowledges_nothing(open_app, server, started):
    auth = open_app()
    server.faults.append(dropped_within_the_answer)
    server.decide("completed")

    session = auth.await_login(started.session_id)

    assert [one.headers.get("last-event-id") for one in server.awaits()][1] == "pending"
    assert server.only().delivered == [session.token]


def test_an_id_that_would_acknowledge_is_not_repeated(open_app, server, started):
    """Whatever a stream says: only a token that is kept is acknowledged."""

    def says_completed(wire):
        wire.begins_stream()
        wire.event("completed", PENDING)
        wire.drops()

    auth = open_app()
    server.faults.append(says_completed)
    server.decide("completed")

    session = auth.await_login(started.session_id, timeout=60)

    assert session.token in server.only().delivered
    assert server.awaits()[1].headers.get("last-event-id") is None


def test_a_stream_that_a_proxy_holds_back_is_polled(open_app, server, started):
    """Its head arrives, and nothing else; the next await is no stream any more."""

    def held_back(wire):
        wire.send_response(200)
        wire.send_header("Content-Type", "text/event-stream")
        wire.end_headers()
        with server.changed:
            server.changed.wait_for(lambda: server.is_stopping, 20)

    auth = open_app(silence=0.2)
    server.faults.append(held_back)
    server.decide("completed")

    assert auth.await_login(started.session_id).did == DID
    assert [one.accept for one in server.awaits()[:2]] == [
        "text/event-stream",
        "application/json",
    ]


def test_a_silent_stream_is_opened_anew(open_app, server, started):
    """It has worked before: the connection is dead, not its kind."""

    def falls_silent(wire):
        wire.begins_stream()
        wire.event("pending", PENDING)
        with server.changed:
            server.changed.wait_for(lambda: server.is_stopping, 20)

    auth = open_app(silence=2.0)
    server.faults.append(falls_silent)
    server.decide("completed")

    assert auth.await_login(started.session_id).did == DID
    assert {one.accept for one in server.awaits()} == {"text/event-stream"}


def test_a_restart_of_the_service_loses_nothing(auth, server, started, later):
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)

    server.stop()
    server.start()
    server.wait_for(2)
    server.decide("completed")

    assert waiting.result().did == DID


@pytest.mark.parametrize("code", ["wrong_verifier", "account_disabled"])
def test_a_refusal_ends_the_login(auth, server, started, code):
    server.faults.append(lambda wire: wire.refuses(403, code))

    with pytest.raises(LoginRefused) as refused:
        auth.await_login(started.session_id)

    assert refused.value.code == code
    assert auth.pending_login() is None


def test_whoever_has_the_session_id_alone_gets_nothing(open_app, server, started):
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


@pytest.mark.parametrize("mode", ["stream", "poll"])
def test_the_verifier_is_in_no_address(open_app, server, mode):
    """The addresses of what fails are in the logs of every proxy on the way."""
    auth = open_app(transport=HttpTransport(mode=mode))
    begun = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")
    auth.await_login(begun.session_id)

    assert len(server.asked) == 3  # begun, heard and acknowledged
    assert not any(asked.query for asked in server.asked)


def test_a_lost_acknowledgement_is_harmless(open_app, server, started):
    """The claim ends by itself; what counts is that the session is kept."""
    transport = HttpTransport()
    attend = transport.attend

    def then_fails(claim, line, **options):
        answer = attend(claim, line, **options)
        server.stop()
        return answer

    transport.attend = then_fails
    auth = open_app(transport=transport)
    server.decide("completed")

    session = auth.await_login(started.session_id)

    assert auth.get_session() == session
    assert not server.only().acknowledged


def test_a_login_that_expires_here_is_asked_about_once_more(open_app, server):
    """The service decides when a login is over, whatever our clock says."""
    server.expires_in = 1
    auth = open_app()
    started = auth.start_login(server.url, "alice.example.com")
    late = open_app(clock=LATE)
    server.decide("completed")

    assert late.await_login(started.session_id).did == DID
    assert server.awaits()[0].headers["prefer"] == "wait=0"


def test_a_login_that_has_expired_is_over_when_the_service_is_not_heard(
    open_app, server, started
):
    server.stop()
    late = open_app(clock=LATE)

    with pytest.raises(LoginExpired) as expired:
        late.await_login(started.session_id)

    assert "refused" in str(expired.value.__cause__)
    assert late.pending_login() is None


def test_certificates_are_checked(open_app, tmp_path):
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


def test_a_certificate_must_name_the_service(open_app, tmp_path):
    authority = Authority(tmp_path)
    with FakeServer(tls=authority.context_for("elsewhere.example")) as server:
        auth = open_app(transport=HttpTransport(ca_bundle=authority.bundle))

        with pytest.raises(ServerUnreachable, match=r"(?i)certificate"):
            auth.start_login(server.url, "alice.example.com")

    assert server.asked == []


def test_no_password_of_the_machine_is_sent(auth, server, tmp_path, monkeypatch):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login alice password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    auth.start_login(server.url, "alice.example.com")

    assert "authorization" not in server.asked[0].headers


def test_proxies_do_not_get_what_is_for_this_machine(auth, server, monkeypatch):
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


def test_the_bundle_of_the_app_counts_whatever_the_machine_says(
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
