"""`app.native` against the real service, on a socket: an app and a person's browser."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import requests
from werkzeug.serving import ThreadedWSGIServer

from app.native import (
    AuthManager,
    Backoff,
    FileStore,
    LoginDenied,
    LoginExpired,
    LoginRefused,
    LoginSuperseded,
)
from tests.fakes.app import confirms, follows
from tests.native.conftest import Later
from tests.service import Service, close
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
LONGEST = 30.0


class Server(ThreadedWSGIServer):
    """A server that can be lost together with all that is open."""

    def __init__(self, *arguments, **options) -> None:
        self.connections: list[socket.socket] = []
        super().__init__(*arguments, **options)

    def process_request(self, request, client_address) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


@contextmanager
def served(service: Service):
    """Serve an application at the address that it knows as its own."""
    port = int(service.home.rpartition(":")[2])
    server = Server("127.0.0.1", port, service.app)
    server.log_startup = lambda: None
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(LONGEST)
        server.hang_up()
        server.server_close()


@pytest.fixture
def idle(open_service, world):
    """The service, on a port of its own, without a server."""
    world.clock.advance(time.time() - world.clock())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return open_service(loopback=True, public_url=f"http://127.0.0.1:{port}")


@pytest.fixture
def home(idle):
    with served(idle):
        signs_in(idle, idle.browser(), ALICE, username="alice")
        yield idle


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "app" / "session.json")


@pytest.fixture
def open_app(store):
    def open_one() -> AuthManager:
        return AuthManager(store, backoff=Backoff(first=0.05, longest=0.2))

    return open_one


def decides(service, started, decision: str):
    """Go from the app's link to the last page, comparing the code on the way."""
    link = SimpleNamespace(link=started.oauth_url)
    asked = follows(service.browser(), link).approves()
    assert started.user_code in asked.text
    return asked.presses(decision=decision)


def bearer(session, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {session.token}"}
    return requests.get(session.server_url + path, headers=headers, timeout=LONGEST)


def test_approved_native_login_returns_a_working_token(home, open_app, world):
    auth = open_app()
    started = auth.start_login(home.home, ALICE, app_name="Relay")
    waiting = Later(lambda: auth.await_login(started.session_id, timeout=LONGEST))

    decides(home, started, "allow")
    session = waiting.result()

    assert (session.did, session.username) == (world.alice.did, "alice")
    assert session.handle == ALICE
    assert session == auth.get_session()
    told = bearer(session, "/auth/session")
    assert (told.status_code, told.json()["did"]) == (200, world.alice.did)


def test_acknowledged_token_is_delivered_once(home, open_app):
    """The secrets of the login, found on the disk later, are worth nothing."""
    auth = open_app()
    started = auth.start_login(home.home, ALICE)
    before = auth._state.read().pending
    decides(home, started, "allow")
    auth.await_login(started.session_id, timeout=LONGEST)

    again = requests.get(
        f"{home.home}/auth/native/login/{started.session_id}/await",
        headers={"Code-Verifier": before.verifier},
        timeout=LONGEST,
    )

    assert again.json() == {"status": "expired"}


def test_denied_native_login_raises_login_denied(home, open_app):
    auth = open_app()
    started = auth.start_login(home.home, ALICE)
    waiting = Later(lambda: auth.await_login(started.session_id, timeout=LONGEST))

    decides(home, started, "deny")

    with pytest.raises(LoginDenied):
        waiting.result()
    assert auth.get_session() is None


def test_login_cancelled_at_the_host_raises_login_denied(home, open_app):
    auth = open_app()
    started = auth.start_login(home.home, ALICE)

    follows(home.browser(), SimpleNamespace(link=started.oauth_url)).denies()

    with pytest.raises(LoginDenied):
        auth.await_login(started.session_id, timeout=LONGEST)


def test_second_start_supersedes_the_first(home, open_app):
    auth = open_app()
    first = auth.start_login(home.home, ALICE)
    waiting = Later(lambda: auth.await_login(first.session_id, timeout=LONGEST))
    second = auth.start_login(home.home, ALICE)

    with pytest.raises(LoginSuperseded):
        waiting.result()
    decides(home, first, "allow")
    assert auth.get_session() is None
    decides(home, second, "allow")

    assert auth.await_login(second.session_id, timeout=LONGEST) == auth.get_session()


def test_await_during_a_restart_returns_the_session(idle, open_app, world, prepared):
    """Another process answers in the end, with the same database."""
    auth = open_app()
    with served(idle) as server:
        signs_in(idle, idle.browser(), ALICE, username="alice")
        before = len(server.connections)
        started = auth.start_login(idle.home, ALICE)
        waiting = Later(lambda: auth.await_login(started.session_id, timeout=LONGEST))
        for _ in range(int(LONGEST / 0.01)):
            if len(server.connections) >= before + 2:
                break
            time.sleep(0.01)

    again = Service(world, idle.settings)
    try:
        with served(again):
            decides(again, started, "allow")
            session = waiting.result()
            assert bearer(session, "/auth/session").status_code == 200
    finally:
        close(again.app)


def test_pending_login_after_a_crash_is_awaited(home, open_app):
    open_app().start_login(home.home, ALICE)
    found = open_app().pending_login()
    decides(home, found, "allow")

    session = open_app().await_login(found.session_id, timeout=LONGEST)

    assert session == open_app().get_session()


def test_newcomer_signs_up_before_the_app_gets_its_session(home, open_app, world):
    auth = open_app()
    started = auth.start_login(home.home, "bob.skyhost.social")
    waiting = Later(lambda: auth.await_login(started.session_id, timeout=LONGEST))
    link = SimpleNamespace(link=started.oauth_url)

    signup = follows(home.browser(), link).approves()
    question = signup.submits(signup.form_with("username"), username="bob")
    question.presses(decision="allow")

    assert waiting.result().username == "bob"


def test_undecided_native_login_expires(home, open_app, world):
    auth = open_app()
    started = auth.start_login(home.home, ALICE)
    world.clock.advance(started.expires_in + 1)

    with pytest.raises(LoginExpired):
        auth.await_login(started.session_id, timeout=LONGEST)

    assert auth.pending_login() is None


def test_start_with_bad_identifier_raises_login_refused_with_its_words(home, open_app):
    with pytest.raises(LoginRefused) as refused:
        open_app().start_login(home.home, "not a handle")

    assert refused.value.code == "invalid_identifier"
    assert refused.value.description
    assert re.fullmatch(r"[\w-]+", refused.value.reference)


def test_await_with_wrong_verifier_raises_login_refused(home, open_app, store):
    auth = open_app()
    started = auth.start_login(home.home, ALICE)
    verifier = auth._state.read().pending.verifier
    store.exchange(lambda text: text.replace(verifier, "x" * 43))

    with pytest.raises(LoginRefused) as refused:
        auth.await_login(started.session_id, timeout=LONGEST)

    assert refused.value.code == "wrong_verifier"


def test_token_of_an_ended_session_gets_401(home, open_app):
    auth = open_app()
    started = auth.start_login(home.home, ALICE)
    confirms(home.browser(), SimpleNamespace(link=started.oauth_url))
    session = auth.await_login(started.session_id, timeout=LONGEST)

    home.rows("UPDATE sessions SET ended_at = 1 WHERE app_name IS NOT NULL")
    home.world.clock.advance(15)

    assert bearer(session, "/auth/session").status_code == 401


def test_sign_out_ends_the_session_and_its_grant_and_no_other(home, open_app, world):
    auth = open_app()
    [browsers] = world.skyhost.server.grants.alive(world.alice.did)
    started = auth.start_login(home.home, ALICE)
    confirms(home.browser(), SimpleNamespace(link=started.oauth_url))
    session = auth.await_login(started.session_id, timeout=LONGEST)

    done = auth.sign_out()

    assert (done.server_url, done.is_ended) == (home.home, True)
    assert bearer(session, "/auth/session").status_code == 401
    assert world.skyhost.server.grants.alive(world.alice.did) == [browsers]
