"""Signing out: the session is removed here first, then ended at the service."""

from __future__ import annotations

import time

import pytest

from app.native import (
    Clock,
    FileStore,
    LoginCancelled,
    MemoryStore,
    SessionStoreFailed,
    SignedOut,
)
from app.native.transports.grpc_transport import GrpcTransport
from tests.native.grpc_server import FakeAuthService, serving

LATE = Clock(wall=lambda: time.time() + 2 * 86_400)


@pytest.fixture
def signed_in(auth, server):
    """The app, signed in at the service."""
    return signs_in(auth, server)


def signs_in(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")
    auth.await_login(started.session_id)
    return auth


def told(server):
    return [one for one in server.asked if one.method == "DELETE"]


def test_sign_out_removes_the_session_here_and_at_the_service(signed_in, server, store):
    token = signed_in.get_session().token

    done = signed_in.sign_out()

    assert done == SignedOut(server_url=server.url)
    assert done.is_ended
    assert server.ended == [token]
    assert signed_in.get_session() is None
    assert store.read() is None


def test_sign_out_removes_the_session_before_it_sends_anything(
    signed_in, server, store
):
    """A network failure after that leaves no session here."""
    kept = []

    def looks(wire):
        kept.append(store.read())
        wire.drops()

    server.faults.append(looks)

    assert not signed_in.sign_out().is_ended
    assert kept == [None]


def test_sign_out_ends_a_running_await_with_login_cancelled(open_app, server, later):
    """This store does not report changes: the end comes from this process."""

    class Unchanging(MemoryStore):
        def version(self):
            return 0

    auth = signs_in(open_app(store=Unchanging()), server)
    before = len(server.awaits())
    started = auth.start_login(server.url, "alice.example.com")
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(before + 1)

    assert auth.sign_out().is_ended

    with pytest.raises(LoginCancelled):
        waiting.result()
    assert auth.pending_login() is None


def test_sign_out_without_a_session_sends_nothing(auth, server):
    done = auth.sign_out()

    assert done == SignedOut()
    assert (done.is_ended, done.account_page) == (True, None)
    assert server.asked == []


def test_sign_out_with_unreachable_service_returns_the_account_page(
    signed_in, server, store
):
    server.stop()

    done = signed_in.sign_out()

    assert not done.is_ended
    assert "Connection refused" in done.trouble
    assert done.account_page == f"{server.url}/auth/account"
    assert store.read() is None


@pytest.mark.parametrize(
    "answers",
    [
        lambda wire: wire.drops(),
        lambda wire: wire.sends(502, "text/html", b"<h1>Bad gateway</h1>"),
        lambda wire: wire.sends(200, "text/html", b"<h1>Welcome</h1>"),
        lambda wire: wire.sends(302, "text/html", b"", Location="/portal"),
        lambda wire: wire.sends(401, "text/html", b"<h1>The proxy's password?</h1>"),
        lambda wire: wire.refuses(405, "method_not_allowed"),
        lambda wire: wire.refuses(429, "too_many_requests", retry_after=1),
        lambda wire: wire.refuses(500, "internal"),
    ],
    ids=["drop", "502", "portal", "302", "401 of a proxy", "405", "429", "500"],
)
def test_sign_out_with_foreign_answer_is_not_ended(signed_in, server, answers):
    server.faults.append(answers)

    done = signed_in.sign_out()

    assert not done.is_ended
    assert done.trouble
    assert signed_in.get_session() is None


def test_sign_out_of_a_session_that_ended_before_is_ended(signed_in, server):
    server.ended.append(signed_in.get_session().token)

    assert signed_in.sign_out().is_ended


def test_sign_out_with_expired_token_says_that_it_ended_nothing(
    signed_in, server, open_app
):
    """The service refuses an expired token too, but its session may live on."""
    server.ended.append(signed_in.get_session().token)

    done = open_app(clock=LATE).sign_out()

    assert done.trouble == "the token has expired"
    assert len(told(server)) == 1


def test_sign_out_with_silent_service_returns_at_its_timeout(signed_in, server, later):
    def says_nothing(wire):
        with server.changed:
            server.changed.wait_for(lambda: server.is_stopping, 20)

    server.faults.append(says_nothing)

    leaving = later(lambda: signed_in.sign_out(timeout=0.2))

    assert leaving.result().trouble == "it does not answer in time"


def test_sign_out_with_unreadable_file_removes_it_and_sends_nothing(
    open_app, server, tmp_path
):
    store = FileStore(tmp_path / "app" / "session.json")
    auth = signs_in(open_app(store=store), server)
    store.path.chmod(0o644)

    done = auth.sign_out()

    assert (done.server_url, done.is_ended) == (None, False)
    assert "not yours alone" in done.trouble
    assert not store.path.exists()
    assert told(server) == []


def test_sign_out_with_unwritable_store_raises_session_store_failed(open_app, server):
    class Stuck(MemoryStore):
        is_stuck = False

        def exchange(self, change):
            if self.is_stuck:
                raise SessionStoreFailed("the disk is read-only")
            super().exchange(change)

    store = Stuck()
    auth = signs_in(open_app(store=store), server)
    store.is_stuck = True

    with pytest.raises(SessionStoreFailed):
        auth.sign_out()


def test_sign_out_with_grpc_transport_goes_over_http(open_app, server):
    with serving(FakeAuthService(server)) as port:
        auth = open_app(transport=GrpcTransport(f"127.0.0.1:{port}"))
        signs_in(auth, server)

        assert auth.sign_out().is_ended

    assert server.ended == ["a.b.c"]
