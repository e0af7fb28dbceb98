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


def test_await_after_approval_returns_and_stores_the_session(auth, server, later):
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


def test_await_acknowledges_the_token_after_storing_it(auth, server, later):
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
def test_await_of_a_denied_or_expired_login_raises(auth, server, decision, error):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide(decision)

    with pytest.raises(error):
        auth.await_login(started.session_id)

    assert auth.get_session() is None
    assert auth.pending_login() is None


def test_await_polls_with_a_wait_of_25_seconds(auth, server, later):
    started = auth.start_login(server.url, "alice.example.com")
    waiting = later(lambda: auth.await_login(started.session_id))
    server.wait_for(1)
    server.decide("completed")

    assert waiting.result() == auth.get_session()
    assert server.awaits()[0].headers["prefer"] == "wait=25"


def test_await_of_an_unknown_login_raises_login_expired(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    server.logins.clear()

    with pytest.raises(LoginExpired):
        auth.await_login(started.session_id)


def test_start_with_refused_handle_raises_login_refused_with_its_words(auth, server):
    server.initiation = lambda wire: wire.refuses(400, "handle_not_found")

    with pytest.raises(LoginRefused) as refused:
        auth.start_login(server.url, "unknown.example.com")

    assert refused.value.code == "handle_not_found"
    assert refused.value.description == "Because of handle_not_found."
    assert refused.value.reference == "ABC123"
    assert not refused.value.is_passing
    assert auth.pending_login() is None


def test_start_with_429_raises_login_refused_that_is_passing(auth, server):
    server.initiation = lambda wire: wire.refuses(
        429, "too_many_requests", retry_after=7
    )

    with pytest.raises(LoginRefused) as refused:
        auth.start_login(server.url, "alice.example.com")

    assert (refused.value.is_passing, refused.value.retry_after) == (True, 7.0)


def test_refusal_with_control_characters_is_made_printable(auth, server):
    server.initiation = lambda wire: wire.sends_json(
        400, {"error": "internal", "error_description": "\x1b[2J\r\nnothing\u202e"}
    )

    with pytest.raises(LoginRefused) as refused:
        auth.start_login(server.url, "alice.example.com")

    assert str(refused.value) == "[2J nothing"


def test_start_with_closed_port_raises_server_unreachable(auth, server):
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
def test_start_with_foreign_answer_raises_not_a_latchkey_server(
    auth, server, status, kind, body
):
    server.initiation = lambda wire: wire.sends(status, kind, body)

    with pytest.raises(NotALatchkeyServer):
        auth.start_login(server.url, "alice.example.com")


def test_start_with_large_answer_raises_not_a_latchkey_server(auth, server):
    server.initiation = lambda wire: wire.sends(
        201, "application/json", b" " * 100_000 + b"{}"
    )

    with pytest.raises(NotALatchkeyServer, match="too large"):
        auth.start_login(server.url, "alice.example.com")


def test_start_with_redirect_does_not_follow_it(auth, server):
    server.initiation = lambda wire: wire.sends(
        302, "text/html", b"", Location=f"{server.url}/elsewhere"
    )

    with pytest.raises(NotALatchkeyServer, match="own address"):
        auth.start_login(server.url, "alice.example.com")

    assert [one.path for one in server.asked] == ["/auth/native/login"]


@pytest.mark.parametrize(
    "page", ["file:///etc/passwd", "javascript:alert(1)", "http://elsewhere.example/"]
)
def test_start_with_page_url_of_another_scheme_raises(auth, server, page):
    server.oauth_url = page

    with pytest.raises(NotALatchkeyServer, match="cannot be opened"):
        auth.start_login(server.url, "alice.example.com")


def test_start_with_http_url_sends_nothing(auth, server):
    with pytest.raises(ServerUrlInvalid):
        auth.start_login("http://auth.example.org", "alice.example.com")

    assert auth.pending_login() is None


def test_open_page_passes_the_url_to_the_browser(open_app, server):
    opened = []
    auth = open_app(open_browser=lambda url: opened.append(url) or True)
    started = auth.start_login(server.url, "alice.example.com")

    assert auth.open_page(started)
    assert opened == [started.oauth_url]


def test_open_page_without_a_browser_returns_false(open_app, server):
    def broken(_url):
        raise OSError("no display")

    auth = open_app(open_browser=broken)

    assert not auth.open_page(auth.start_login(server.url, "alice.example.com"))


def test_repr_of_records_shows_no_secret(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")
    session = auth.await_login(started.session_id)

    assert session.token not in repr(session)
    assert started.session_id not in repr(started)
    assert started.oauth_url not in repr(started)


# --- what ends an await ---------------------------------------------------------------


def test_await_without_a_start_raises_login_not_started(auth):
    with pytest.raises(LoginNotStarted):
        auth.await_login("s" * 43)


def test_await_of_a_login_without_session_id_raises_login_superseded(open_app, server):
    """A login without an answer has no session_id, so an empty one finds nothing."""
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


def test_second_start_ends_the_first_await_with_login_superseded(auth, server, later):
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


def test_start_in_another_process_ends_the_await_here(open_app, server, later):
    ours, theirs = open_app(), open_app()
    first = ours.start_login(server.url, "alice.example.com")
    waiting = later(lambda: ours.await_login(first.session_id))
    server.wait_for(1)

    second = theirs.start_login(server.url, "bob.example.com")

    with pytest.raises(LoginSuperseded):
        waiting.result()
    assert theirs.pending_login().session_id == second.session_id


def test_start_that_is_overtaken_raises_login_superseded(open_app, server):
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


def test_cancel_ends_an_await_without_a_look_at_the_store(open_app, server, later):
    """This store does not report changes: the end comes from this process."""

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


def test_clear_session_ends_an_await_with_login_cancelled(auth, server, later):
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


def test_clear_session_in_another_process_ends_the_await_here(open_app, server, later):
    ours, theirs = open_app(), open_app()
    started = ours.start_login(server.url, "alice.example.com")
    waiting = later(lambda: ours.await_login(started.session_id))
    server.wait_for(1)

    theirs.clear_session()

    with pytest.raises(LoginCancelled):
        waiting.result()


def test_token_that_arrives_after_clear_session_is_not_stored(open_app, server, store):
    """The app is signed out while the service sends the token."""
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


def test_token_that_arrives_after_clear_session_elsewhere_is_not_stored(
    open_app, server, store
):
    """This process learns of it only by the compare-and-set in the store."""
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


def test_cancel_ends_an_await_whose_service_is_silent(auth, server, later):
    """The service sends nothing, and its connection stays open."""
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


def test_cancel_of_an_unknown_login_changes_nothing(auth, server):
    started = auth.start_login(server.url, "alice.example.com")

    auth.cancel("s" * 43)

    assert auth.pending_login().session_id == started.session_id


def test_await_with_timeout_raises_and_leaves_the_login(auth, server):
    started = auth.start_login(server.url, "alice.example.com")

    with pytest.raises(AwaitTimedOut):
        auth.await_login(started.session_id, timeout=0.05)

    server.decide("completed")
    assert isinstance(auth.await_login(started.session_id), NativeSession)


def test_on_wait_gets_the_seconds_left_and_the_trouble(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    seen = []

    def tell(waiting):
        seen.append(waiting)
        server.decide("completed")

    auth.await_login(started.session_id, on_wait=tell)

    assert 0 < seen[0].seconds_left <= 1800
    assert seen[0].trouble is None


# --- after a crash --------------------------------------------------------------------


def test_pending_login_is_found_by_another_process(open_app, server):
    started = open_app().start_login(server.url, "alice.example.com")
    server.decide("completed")

    auth = open_app()
    found = auth.pending_login()

    assert found == started
    assert auth.await_login(found.session_id).server_url == server.url


def test_await_after_a_crash_returns_the_stored_session(open_app, server):
    """The login of a stored session finds it again."""
    started = open_app().start_login(server.url, "alice.example.com")
    server.decide("completed")
    session = open_app().await_login(started.session_id)

    auth = open_app()

    assert auth.get_session() == session
    assert auth.await_login(started.session_id) == session


def test_await_in_two_processes_returns_a_session_in_both(open_app, server, later):
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


def test_failed_login_leaves_the_session_of_before(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")
    session = auth.await_login(started.session_id)

    another = auth.start_login(server.url, "bob.example.com")
    server.decide("denied")
    with pytest.raises(LoginDenied):
        auth.await_login(another.session_id)

    assert auth.get_session() == session
