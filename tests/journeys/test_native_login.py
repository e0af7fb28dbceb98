"""An app signs in: what it sends, what it is told, and what interruptions cost it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from app.atproto.crypto.proofs import challenge_of, create_verifier
from tests.fakes.app import App, Event, confirms, follows
from tests.fakes.browser import AtHost, Browser
from tests.fakes.world import World
from tests.service import HOME, Prepared, Service, close
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
PATIENCE = 30.0
PENDING = Event("pending", "pending", {"status": "pending"})


@pytest.fixture
def alice(service: Service) -> Browser:
    """Alice, who has a username, in a browser where she is not signed in."""
    signs_in(service, service.browser(), ALICE, username="alice")
    return service.browser()


@pytest.fixture
def app(service: Service) -> App:
    return App(service)


@pytest.fixture
def restarted(
    service: Service, world: World, prepared: Prepared
) -> Iterator[Callable[[], Service]]:
    """The service again, as another process on the same database."""
    started: list[Service] = []

    def restart() -> Service:
        started.append(Service(world, service.settings))
        return started[-1]

    yield restart
    for one in started:
        close(one.app)


# --- the whole way --------------------------------------------------------------------


def test_stream_of_a_native_login_sends_pending_then_completed(
    app: App, alice: Browser
):
    app.starts(ALICE, app_name="Sketch")

    with app.streams() as stream:
        first = stream.event()
        page = confirms(alice, app)
        rest = list(stream.events())

    assert first == PENDING
    assert page.status == 200
    [completed] = rest
    assert (completed.name, completed.id) == ("completed", "completed")
    token = completed.body.pop("token")
    refresh_token = completed.body.pop("refresh_token")
    assert refresh_token == app.asks().json()["refresh_token"]
    assert completed.body == {
        "status": "completed",
        "did": app.uses(token).json()["did"],
        "handle": ALICE,
        "username": "alice",
        "expires_in": 24 * 3600,
        "refresh_expires_in": 30 * 24 * 3600,
    }


def test_stream_of_a_native_login_forbids_buffering_and_caching(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)

    with app.streams() as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store, no-transform"
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert "Content-Length" not in stream.headers
        assert stream.next().startswith(b"retry: 2000\n\nid: pending\nevent: pending\n")


def test_native_confirmation_page_shows_the_user_code_of_the_app(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE, app_name="Sketch")

    page = follows(alice, app).approves()

    assert app.code in page.text
    assert "Sketch" in page.text


def test_secret_of_a_native_login_is_in_no_browser_url(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)

    confirms(alice, app)

    assert app.link in alice.trail
    assert [url for url in alice.trail if app.secret in url] == []
    assert not any(app.secret in cookie.value for cookie in alice.jar)


def test_long_poll_of_a_native_login_returns_pending_then_completed(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)

    waiting = app.asks()
    confirms(alice, app)
    completed = app.asks(Prefer="wait=30")

    assert (waiting.status, waiting.json()) == (202, {"status": "pending"})
    assert int(waiting.headers["Retry-After"]) > 0
    assert (completed.status, completed.json()["status"]) == (200, "completed")
    assert completed.headers["Preference-Applied"] == "wait=30"
    assert completed.headers["Cache-Control"] == "no-store"


def test_token_of_a_native_login_is_accepted_until_logout(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE, app_name="Sketch")
    confirms(alice, app)

    token = app.token()

    answer = app.uses(token).json()
    assert answer["session_expires_at"] - answer["issued_at"] == 30 * 24 * 3600 + 30
    assert app.uses(token, "/auth/verify").status == 200
    own = service.browser()
    page = own.signs_in(ALICE)
    assert "Sketch" in page.text
    page.presses(end=answer["session_id"])
    assert app.uses(token).status == 401
    service.world.clock.advance(10)  # what forward auth remembers, at most
    assert app.uses(token, "/auth/verify").status == 401
    assert "Sketch app Last used" not in own.visits("/auth/account").text


def test_account_page_lists_no_unconfirmed_native_login(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE, app_name="Sketch")
    follows(alice, app).approves()

    assert "Sketch" not in service.browser().signs_in(ALICE).text


# --- the other answers ----------------------------------------------------------------


def test_denied_confirmation_is_delivered_as_denied(
    app: App, alice: Browser, service: Service, world: World
) -> None:
    app.starts(ALICE)

    with app.streams() as stream:
        stream.event()
        page = confirms(alice, app, "deny")
        [denied] = stream.events()

    assert "Access denied" in page.text
    assert denied == Event("denied", "denied", {"status": "denied"})
    assert app.status() == "denied"
    assert service.rows("SELECT 1 FROM sessions WHERE ended_at NOT NULL") == [(1,)]
    assert world.network.sent(path="/oauth/revoke")
    assert service.rows("SELECT 1 FROM oauth_sessions") == [(1,)]  # that of the sign-up


def test_cancel_at_the_host_is_delivered_as_denied(app: App, alice: Browser) -> None:
    app.starts(ALICE)

    with app.streams() as stream:
        stream.event()
        page = follows(alice, app).denies()
        [denied] = stream.events()

    assert denied.name == "denied"
    assert page.error == "access_denied"
    assert "Access denied" in page.text


def test_native_link_after_a_host_failure_leads_to_the_host_again(
    app: App, alice: Browser, world: World
) -> None:
    app.starts(ALICE)
    page = follows(alice, app).meets("server_error")
    assert page.error == "host_unreachable"

    assert app.status() == "pending"
    [again] = [link for link in page.links if "/auth/native/open" in link]
    arrived = alice.navigates("GET", HOME + again, site="same-origin")
    assert isinstance(arrived, AtHost)
    arrived.approves().presses(decision="allow")

    assert app.status() == "completed"


def test_unfinished_native_login_expires(app: App, world: World) -> None:
    app.starts(ALICE)
    world.clock.advance(1799)
    assert app.status() == "pending"

    world.clock.advance(1)

    with app.streams() as stream:
        assert [event.name for event in stream.events()] == ["expired"]
    assert (app.asks().status, app.status()) == (200, "expired")


def test_open_stream_of_an_expiring_native_login_sends_expired(
    app: App, world: World
) -> None:
    app.starts(ALICE)
    world.clock.advance(1799)

    with app.streams() as stream:
        assert stream.event() == PENDING
        world.clock.advance(2)

        assert [event.name for event in stream.events()] == ["expired"]


def test_await_for_a_disabled_account_returns_account_disabled(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE)
    confirms(alice, app)
    service.rows("UPDATE users SET disabled_at = 1")

    answer = app.asks()

    assert (answer.status, answer.json()["error"]) == (403, "account_disabled")


# --- interruptions --------------------------------------------------------------------


def test_stream_reopened_before_the_callback_sends_the_session(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)
    with app.streams() as stream:
        stream.event()

    with app.streams(Last_Event_ID="pending") as again:
        assert again.event() == PENDING
        confirms(alice, app)

        assert [event.name for event in again.events()] == ["completed"]


def test_stream_reopened_during_the_callback_sends_the_session(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)
    with app.streams() as stream:
        stream.event()
        page = follows(alice, app).approves()

    with app.streams() as again:
        assert again.event() == PENDING
        page.presses(decision="allow")

        assert [event.name for event in again.events()] == ["completed"]


def test_await_after_the_callback_returns_completed_at_once(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)
    confirms(alice, app)

    for _ in range(2):  # the first delivery was lost on the way
        with app.streams(Last_Event_ID="pending") as stream:
            assert [event.name for event in stream.events()] == ["completed"]


def test_a_restart_between_start_and_callback_loses_nothing(
    app: App, alice: Browser, restarted: Callable[[], Service]
) -> None:
    app.starts(ALICE)

    app.service = restarted()
    confirms(alice, app)

    assert app.status() == "completed"


def test_a_restart_between_callback_and_await_loses_nothing(
    app: App, alice: Browser, restarted: Callable[[], Service]
) -> None:
    app.starts(ALICE)
    confirms(alice, app)

    app.service = restarted()

    assert app.uses(app.token()).status == 200


def test_stream_sends_the_decision_of_another_process(
    app: App, alice: Browser, restarted: Callable[[], Service]
) -> None:
    app.starts(ALICE)

    with app.streams() as stream:
        stream.event()
        restarted()  # the browser's requests go there
        confirms(alice, app)

        assert [event.name for event in stream.events()] == ["completed"]


def test_stream_during_a_database_outage_ends_without_an_event(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE)

    with app.streams() as stream:
        stream.event()
        service.rows("ALTER TABLE native_logins RENAME TO away")
        # Something to wake up for; it is the look that fails.
        service.app.extensions["latchkey"].flows.await_native.events.wake_all()

        assert list(stream.events()) == []
    service.rows("ALTER TABLE away RENAME TO native_logins")
    assert app.status() == "pending"


# --- what is left behind --------------------------------------------------------------


def sweeps(service: Service) -> None:
    result = service.app.test_cli_runner().invoke(args=["sweep"])
    assert result.exit_code == 0, result.output


def test_sweep_of_an_abandoned_native_login_revokes_its_grant(
    app: App, alice: Browser, service: Service, world: World
) -> None:
    app.starts(ALICE)
    follows(alice, app).approves()  # and never answers
    [(grants,)] = service.rows("SELECT count(*) FROM oauth_sessions")
    world.clock.advance(3601)
    world.network.forget()

    sweeps(service)

    assert app.asks().status == 404
    assert world.network.sent(path="/oauth/revoke")
    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(grants - 1,)]


def test_sweep_keeps_an_uncollected_native_token(
    app: App, alice: Browser, service: Service, world: World
) -> None:
    app.starts(ALICE)
    world.clock.advance(1790)
    confirms(alice, app)
    world.clock.advance(299)

    sweeps(service)

    assert app.status() == "completed"


# --- delivery -------------------------------------------------------------------------


def test_await_after_acknowledge_returns_expired(app: App, alice: Browser) -> None:
    app.starts(ALICE)
    confirms(alice, app)
    token = app.token()

    assert app.acknowledges().status == 204

    assert app.status() == "expired"
    with app.streams() as stream:
        assert [event.name for event in stream.events()] == ["expired"]
    assert app.acknowledges().status == 204
    assert app.uses(token).status == 200


@pytest.mark.parametrize("word", ["denied", "expired"])
def test_await_with_last_event_id_of_an_end_returns_204(app: App, word: str) -> None:
    app.starts(ALICE)

    assert app.asks(Last_Event_ID=word).status == 204


def test_stream_told_before_the_acknowledgement_delivers_no_second_token(
    app: App, alice: Browser, service: Service
) -> None:
    """The app's other stream has the token, and said so, before this one goes on."""
    secret = app.starts(ALICE).secret
    waiting = service.app.extensions["latchkey"].flows.await_native
    woken = threading.Event()
    with waiting.watch(secret, woken.set) as watched:
        confirms(alice, app)
        while watched.decided is None:
            assert woken.wait(PATIENCE)
            woken.clear()
        told = SimpleNamespace(decided=watched.decided)  # later ones may be told more

        app.token()
        app.acknowledges()

        assert told.decided.acknowledged_at is None
        assert waiting.look_again(told, secret).status == "expired"


def test_acknowledge_of_a_pending_native_login_claims_nothing(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)
    app.acknowledges()

    confirms(alice, app)

    assert app.status() == "completed"


def test_await_five_minutes_after_completion_returns_expired(
    app: App, alice: Browser, world: World
) -> None:
    app.starts(ALICE)
    confirms(alice, app)
    world.clock.advance(299)
    assert app.status() == "completed"

    world.clock.advance(1)

    assert app.status() == "expired"


def test_database_holds_no_token_of_a_native_login(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE)
    confirms(alice, app)
    completed = app.asks().json()
    token, refresh_token = completed["token"], completed["refresh_token"]

    path = service.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        dump = "\n".join(connection.iterdump())

    link_secret = urlsplit(app.link).query.partition("=")[2]
    assert app.code in dump
    for secret in (
        token,
        token.rpartition(".")[2],
        app.secret,
        link_secret,
        refresh_token,
    ):
        assert secret not in dump


# --- proof ----------------------------------------------------------------------------


def test_await_with_secret_but_wrong_verifier_is_refused(
    app: App, alice: Browser
) -> None:
    verifier = create_verifier()
    app.starts(ALICE, code_challenge=challenge_of(verifier))
    confirms(alice, app)

    for wrong in (None, create_verifier()):
        app.verifier = wrong
        refused = app.asks(Accept="text/event-stream")
        assert (refused.status, refused.json()["error"]) == (403, "wrong_verifier")
        assert app.acknowledges().status == 403

    app.verifier = verifier
    assert app.status() == "completed"


def test_await_prefers_the_verifier_of_the_header(app: App, alice: Browser) -> None:
    """Proxies log addresses; the header is believed before the address is."""
    verifier = create_verifier()
    app.starts(ALICE, code_challenge=challenge_of(verifier))
    confirms(alice, app)

    assert app.asks(Code_Verifier=create_verifier()).status == 403
    assert app.asks(Code_Verifier=verifier).json()["status"] == "completed"
    app.verifier = verifier
    assert app.asks(Code_Verifier=create_verifier()).status == 403


def test_await_with_an_unknown_secret_is_refused(app: App) -> None:
    app.secret = "guessed"

    for answer in (
        app.asks(),
        app.asks(Accept="text/event-stream"),
        app.acknowledges(),
    ):
        assert (answer.status, answer.json()["error"]) == (404, "login_expired")


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        [],
        "alice",
        {"identifier": ["alice"]},
        {"identifier": ALICE, "app_name": 7},
        {"identifier": ALICE, "app_name": "x" * 65},
        {"identifier": ALICE, "code_challenge": "short"},
    ],
    ids=str,
)
def test_malformed_initiation_is_refused(app: App, world: World, body: object) -> None:
    answer = app.initiates(body)

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert world.network.sent() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_identifier"),
        ({"identifier": "no handle"}, "invalid_identifier"),
        ({"identifier": "unknown.skyhost.social"}, "handle_not_found"),
    ],
)
def test_native_start_with_an_unusable_account_returns_its_error(
    app: App, body: dict[str, str], code: str
) -> None:
    answer = app.initiates(body)

    assert (answer.status, answer.json()["error"]) == (400, code)
    assert set(answer.json()) == {"error", "error_description", "reference"}


def test_native_start_with_an_unreachable_host_returns_host_unreachable(
    app: App, world: World
) -> None:
    world.network.unplug("as.skyhost.social")

    answer = app.initiates({"identifier": ALICE})

    assert (answer.status, answer.json()["error"]) == (504, "host_unreachable")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.cafe"},
        {"Origin": "null"},
        {"Origin": HOME},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
def test_native_start_from_a_web_page_returns_cross_site(
    app: App, world: World, headers: dict[str, str]
) -> None:
    begun = app.initiates({"identifier": ALICE}, **headers)
    app.secret = "x"
    awaited = app.requests("GET", app.await_path, headers)

    for answer in (begun, awaited):
        assert (answer.status, answer.json()["error"]) == (403, "cross_site")
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert world.network.sent() == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", ""]
)
def test_native_start_with_another_content_type_returns_invalid_request(
    app: App, kind: str
) -> None:
    """A form of another page can send the other kinds without asking anybody."""
    body = json.dumps({"identifier": ALICE}).encode()

    answer = app.initiates(body, **{"Content-Type": kind})

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_native_start_above_the_address_limit_returns_too_many_requests(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(rate_limit_login_per_address="2/minute")
    app = App(service)
    for _ in range(2):
        app.starts(ALICE)

    answer = app.initiates({"identifier": ALICE})

    assert (answer.status, answer.json()["error"]) == (429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 0
    App(service, address="203.0.113.77").starts(ALICE)


def test_admit_beyond_the_stream_limit_raises_too_many_requests(
    open_service: Callable[..., Service],
) -> None:
    app = App(open_service(native_streams_per_address=1)).starts(ALICE)

    with app.streams() as stream:
        stream.event()
        refused = app.asks(Accept="text/event-stream")

        assert (refused.status, refused.json()["error"]) == (429, "too_many_requests")
        assert int(refused.headers["Retry-After"]) > 0
    with app.streams() as stream:
        assert stream.event() == PENDING


def test_stream_closed_by_its_reader_frees_its_slot(
    open_service: Callable[..., Service],
) -> None:
    app = App(open_service(native_streams_per_address=1)).starts(ALICE)

    app.streams().breaks()  # before a byte of it was read

    assert app.status() == "pending"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_await_with_post_put_or_delete_returns_405(app: App, method: str) -> None:
    app.starts(ALICE)

    answer = app.asks(method=method)

    assert answer.status == 405


def test_await_without_event_stream_accept_is_refused(app: App, world: World) -> None:
    """A quality of 0 is a no (RFC 9110 section 12.4.2)."""
    app.starts(ALICE)
    world.clock.advance(1800)

    answer = app.asks(Accept="application/json, text/event-stream;q=0")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"status": "expired"}


def test_await_head_request_returns_at_once(app: App) -> None:
    app.starts(ALICE)

    answer = app.asks(method="HEAD", Accept="text/event-stream", Prefer="wait=30")

    assert (answer.status, answer.body) == (202, b"")


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=0", None),
        ("respond-async, wait=1", "wait=1"),
        ("wait=x", None),
        ("await=30", None),
    ],
)
def test_long_poll_waits_for_the_seconds_of_prefer(
    app: App, prefer: str, applied: str | None
) -> None:
    """RFC 7240 §4.3; what cannot be read is ignored."""
    app.starts(ALICE)

    answer = app.asks(Prefer=prefer)

    assert answer.status == 202
    assert answer.headers.get("Preference-Applied") == applied


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"x", b""])
def test_native_start_with_unreadable_json_returns_400_and_counts(
    open_service: Callable[..., Service], body: bytes
) -> None:
    service = open_service(rate_limit_login_per_address="3/minute")
    client = service.app.test_client()

    answers = [
        client.post(
            "/auth/native/login",
            base_url=service.home,
            data=body[:60_000],
            content_type="application/json",
        ).status_code
        for _ in range(5)
    ]

    assert answers == [400, 400, 400, 429, 429]
