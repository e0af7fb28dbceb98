"""Signing in through the service, over HTTP, and being signed in afterwards."""

from __future__ import annotations

import pytest

from app.native import (
    AwaitTimedOut,
    LoginCancelled,
    LoginDenied,
    LoginExpired,
    LoginNotStarted,
    LoginRefused,
    LoginSuperseded,
    MemoryStore,
    NativeSession,
    NotALatchkeyServer,
    ServerUnreachable,
    ServerUrlInvalid,
)

from .fake_server import DID


def test_whoever_is_let_in_has_a_session(auth, server, later):
    started = auth.start_login(server.url, "alice.example.com", app_name="Relay")
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)
    server.decide("completed")

    session = waiting.result()

    assert session == auth.get_session()
    assert (session.server_url, session.did) == (server.url, DID)
    assert (session.username, session.handle) == ("alice", "alice.example.com")
    assert session.token in server.only().delivered
    assert server.only().app_name == "Relay"
    assert started.user_code == "BCDF-GHJK"
    assert auth.pending_login() is None


def test_the_token_is_acknowledged_once_it_is_kept(auth, server, later):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")

    auth.await_login(started.session_id)

    assert server.only().acknowledged
    assert [one.headers.get("last-event-id") for one in server.awaits()] == [
        None,
        "completed",
    ]


@pytest.mark.parametrize(
    ("decision", "error"), [("denied", LoginDenied), ("expired", LoginExpired)]
)
def test_a_login_that_is_over_is_said_to_be(auth, server, decision, error):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide(decision)

    with pytest.raises(error):
        auth.await_login(started.session_id)

    assert auth.get_session() is None
    assert auth.pending_login() is None


def test_a_poll_waits_as_a_stream_does(auth, server, later):
    started = auth.start_login(server.url, "alice.example.com")
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)
    server.decide("completed")

    assert waiting.result() == auth.get_session()
    assert server.awaits()[0].headers["prefer"] == "wait=25"


def test_a_login_the_service_does_not_know_any_more_is_expired(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    server.logins.clear()

    with pytest.raises(LoginExpired):
        auth.await_login(started.session_id)


def test_a_refusal_comes_in_the_services_words(auth, server):
    server.initiation = lambda wire: wire.refuses(400, "handle_not_found")

    with pytest.raises(LoginRefused) as refused:
        auth.start_login(server.url, "nobody.example.com")

    assert refused.value.code == "handle_not_found"
    assert refused.value.description == "Because of handle_not_found."
    assert refused.value.reference == "ABC123"
    assert not refused.value.is_passing
    assert auth.pending_login() is None


def test_too_many_logins_are_worth_another_try(auth, server):
    server.initiation = lambda wire: wire.refuses(
        429, "too_many_requests", retry_after=7
    )

    with pytest.raises(LoginRefused) as refused:
        auth.start_login(server.url, "alice.example.com")

    assert (refused.value.is_passing, refused.value.retry_after) == (True, 7.0)


def test_words_of_the_service_cannot_move_a_cursor(auth, server):
    server.initiation = lambda wire: wire.sends_json(
        400, {"error": "internal", "error_description": "\x1b[2J\r\nnothing\u202e"}
    )

    with pytest.raises(LoginRefused) as refused:
        auth.start_login(server.url, "alice.example.com")

    assert str(refused.value) == "[2J nothing"


def test_a_service_that_is_not_there_is_unreachable(auth, server):
    server.stop()

    with pytest.raises(ServerUnreachable, match="refused"):
        auth.start_login(server.url, "alice.example.com")

    assert auth.pending_login() is None


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", b"<h1>Welcome to the hotel</h1>"),
        (404, "text/html", b"not found"),
        (201, "application/json", b"[]"),
        (201, "application/json", b"{"),
        (201, "application/json", b'{"status": "ok"}'),
        (201, "application/json", b"x" * 100_000),
        (403, "application/json", b'{"message": "blocked"}'),
    ],
)
def test_something_else_that_answers_is_no_service(auth, server, status, kind, body):
    server.initiation = lambda wire: wire.sends(status, kind, body)

    with pytest.raises(NotALatchkeyServer):
        auth.start_login(server.url, "alice.example.com")


def test_an_answer_without_end_is_no_services(auth, server):
    server.initiation = lambda wire: wire.sends(
        201, "application/json", b" " * 100_000 + b"{}"
    )

    with pytest.raises(NotALatchkeyServer, match="too large"):
        auth.start_login(server.url, "alice.example.com")


def test_no_redirect_is_followed(auth, server):
    server.initiation = lambda wire: wire.sends(
        302, "text/html", b"", Location=f"{server.url}/elsewhere"
    )

    with pytest.raises(NotALatchkeyServer, match="own address"):
        auth.start_login(server.url, "alice.example.com")

    assert [one.path for one in server.asked] == ["/auth/native/login"]


@pytest.mark.parametrize(
    "page", ["file:///etc/passwd", "javascript:alert(1)", "http://elsewhere.example/"]
)
def test_no_page_is_opened_that_is_none(auth, server, page):
    server.oauth_url = page

    with pytest.raises(NotALatchkeyServer, match="cannot be opened"):
        auth.start_login(server.url, "alice.example.com")


def test_nothing_is_sent_to_an_address_that_is_refused(auth, server):
    with pytest.raises(ServerUrlInvalid):
        auth.start_login("http://auth.example.org", "alice.example.com")

    assert auth.pending_login() is None


def test_the_browser_gets_the_page(open_app, server):
    opened = []
    auth = open_app(open_browser=lambda url: opened.append(url) or True)
    started = auth.start_login(server.url, "alice.example.com")

    assert auth.open_page(started)
    assert opened == [started.oauth_url]


def test_a_machine_without_a_browser_is_no_failure(open_app, server):
    def broken(_url):
        raise OSError("no display")

    auth = open_app(open_browser=broken)

    assert not auth.open_page(auth.start_login(server.url, "alice.example.com"))


def test_secrets_do_not_show_when_records_are_printed(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")
    session = auth.await_login(started.session_id)

    assert session.token not in repr(session)
    assert started.session_id not in repr(started)
    assert started.oauth_url not in repr(started)


# --- what ends an await ---------------------------------------------------------------


def test_an_await_without_a_start_is_refused(auth):
    with pytest.raises(LoginNotStarted):
        auth.await_login("s" * 43)


def test_a_start_that_was_not_answered_yet_cannot_be_awaited(open_app, server):
    """It has no session_id, and neither has who asks."""
    auth, asked = open_app(), []

    def slow(wire):
        with pytest.raises(LoginSuperseded):
            auth.await_login("")
        auth.cancel("")
        asked.append(1)
        wire.refuses(400, "invalid_identifier")

    server.initiation = slow

    with pytest.raises(LoginRefused):
        auth.start_login(server.url, "alice.example.com")
    assert asked == [1]
    assert server.awaits() == []


def test_the_second_start_wins(auth, server, later):
    first = auth.start_login(server.url, "alice.example.com")
    waiting = later(lambda: auth.await_login(first.session_id))
    server.wait_for(1)

    second = auth.start_login(server.url, "alice.example.com")

    with pytest.raises(LoginSuperseded):
        waiting.result()
    server.decide("completed")
    assert auth.await_login(second.session_id) == auth.get_session()
    with pytest.raises(LoginSuperseded):
        auth.await_login(first.session_id)


def test_a_start_in_another_process_wins_too(open_app, server, later):
    ours, theirs = open_app(), open_app()
    first = ours.start_login(server.url, "alice.example.com")
    waiting = later(lambda: ours.await_login(first.session_id))
    server.wait_for(1)

    second = theirs.start_login(server.url, "bob.example.com")

    with pytest.raises(LoginSuperseded):
        waiting.result()
    assert theirs.pending_login().session_id == second.session_id


def test_a_start_that_was_overtaken_is_superseded(open_app, server):
    """The service was slow, and the person tried again meanwhile."""
    ours, theirs = open_app(), open_app()
    second = []

    def slow(wire):
        server.initiation = None
        second.append(theirs.start_login(server.url, "bob.example.com"))
        wire.sends_json(
            201,
            {
                "oauth_url": server.url,
                "session_id": "s" * 43,
                "user_code": "BCDF-GHJK",
                "expires_in": 1800,
            },
        )

    server.initiation = slow

    with pytest.raises(LoginSuperseded):
        ours.start_login(server.url, "alice.example.com")

    assert theirs.pending_login() == second[0]


def test_an_await_is_ended_without_a_look_at_the_store(open_app, server, later):
    """At once: looking twice a second is for what other processes do."""

    class Unchanging(MemoryStore):
        def version(self):
            return 0

    auth = open_app(store=Unchanging())
    started = auth.start_login(server.url, "alice.example.com")
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)

    auth.cancel(started.session_id)

    with pytest.raises(LoginCancelled):
        waiting.result()


def test_signing_out_ends_an_await(auth, server, later):
    started = auth.start_login(server.url, "alice.example.com")
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)

    auth.clear_session()

    with pytest.raises(LoginCancelled):
        waiting.result()
    server.decide("completed")
    assert auth.get_session() is None
    with pytest.raises(LoginCancelled):
        auth.await_login(started.session_id)


def test_signing_out_in_another_process_ends_an_await(open_app, server, later):
    ours, theirs = open_app(), open_app()
    started = ours.start_login(server.url, "alice.example.com")
    waiting = later(lambda: ours.await_login(started.session_id))
    server.wait_for(1)

    theirs.clear_session()

    with pytest.raises(LoginCancelled):
        waiting.result()


def test_a_token_that_comes_after_signing_out_is_not_stored(open_app, server, store):
    """The service answers while the app is signed out: the answer is in the air."""
    auth = open_app()
    started = auth.start_login(server.url, "alice.example.com")

    def clears_first(wire):
        auth.clear_session()
        wire.polls(server.logins[started.session_id])

    server.decide("completed")
    server.faults.append(clears_first)

    with pytest.raises(LoginCancelled):
        auth.await_login(started.session_id)

    assert auth.get_session() is None
    assert store.read() is None


def test_a_token_that_comes_after_signing_out_elsewhere_is_not_stored(
    open_app, server, store
):
    """Nobody told this process: the compare-and-set in the store is all there is."""
    ours, theirs = open_app(), open_app()
    started = ours.start_login(server.url, "alice.example.com")

    def clears_first(wire):
        theirs.clear_session()
        wire.polls(server.logins[started.session_id])

    server.decide("completed")
    server.faults.append(clears_first)

    with pytest.raises(LoginCancelled):
        ours.await_login(started.session_id)

    assert store.read() is None
    assert not server.only().acknowledged


def test_an_await_is_cancelled_at_once(auth, server, later):
    """The service says nothing, and its connection stays open: nobody waits for it."""
    silent = server.changed

    def says_nothing(wire):
        with silent:
            silent.wait_for(lambda: server.is_stopping, 60)

    server.faults.append(says_nothing)
    started = auth.start_login(server.url, "alice.example.com")
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)

    auth.cancel(started.session_id)

    with pytest.raises(LoginCancelled):
        waiting.result()
    assert auth.pending_login() is None


def test_cancelling_another_login_changes_nothing(auth, server):
    started = auth.start_login(server.url, "alice.example.com")

    auth.cancel("s" * 43)

    assert auth.pending_login().session_id == started.session_id


def test_patience_that_is_over_does_not_end_the_login(auth, server):
    started = auth.start_login(server.url, "alice.example.com")

    with pytest.raises(AwaitTimedOut):
        auth.await_login(started.session_id, timeout=0.05)

    server.decide("completed")
    assert isinstance(auth.await_login(started.session_id), NativeSession)


def test_who_waits_is_told_how_it_stands(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    seen = []

    def tell(waiting):
        seen.append(waiting)
        server.decide("completed")

    auth.await_login(started.session_id, on_wait=tell)

    assert 0 < seen[0].seconds_left <= 1800
    assert seen[0].trouble is None


# --- after a crash --------------------------------------------------------------------


def test_a_login_outlives_the_process_that_started_it(open_app, server):
    started = open_app().start_login(server.url, "alice.example.com")
    server.decide("completed")

    auth = open_app()
    found = auth.pending_login()

    assert found == started
    assert auth.await_login(found.session_id).server_url == server.url


def test_a_crash_after_storing_leaves_a_session(open_app, server):
    """Whoever asks again gets it, though nobody acknowledged."""
    started = open_app().start_login(server.url, "alice.example.com")
    server.decide("completed")
    session = open_app().await_login(started.session_id)

    auth = open_app()

    assert auth.get_session() == session
    assert auth.await_login(started.session_id) == session


def test_two_processes_that_await_one_login_have_one_session(open_app, server, later):
    ours, theirs = open_app(), open_app()
    started = ours.start_login(server.url, "alice.example.com")
    waits = [
        later(lambda a=a: a.await_login(started.session_id)) for a in (ours, theirs)
    ]
    server.wait_for(2)
    server.decide("completed")

    sessions = [one.result() for one in waits]

    assert {session.did for session in sessions} == {DID}
    assert ours.get_session() in sessions


def test_a_session_stays_while_another_login_is_tried(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")
    session = auth.await_login(started.session_id)

    another = auth.start_login(server.url, "bob.example.com")
    server.decide("denied")
    with pytest.raises(LoginDenied):
        auth.await_login(another.session_id)

    assert auth.get_session() == session
