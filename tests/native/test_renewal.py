"""The app goes on by itself: renewals, lost answers, crashes, threads, processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.native import (
    Clock,
    FileStore,
    LoginRefused,
    NotALatchkeyServer,
    NotSignedIn,
    ServerUnreachable,
    SignedOut,
)
from app.native.records import decode
from app.native.transports.grpc_transport import GrpcTransport
from tests.native.grpc_server import FakeAuthService, serving
from tests.native.test_races import together

ROOT = Path(__file__).resolve().parents[2]
LIFE = 86_400


class Later:
    """The time, so many seconds later."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(wall=lambda: time.time() + self.seconds)


@pytest.fixture
def days():
    return Later()


@pytest.fixture
def auth(open_app, server, days):
    server.refreshes, server.token_life = True, LIFE
    auth = open_app(clock=days.clock)
    started = auth.start_login(server.url, "alice.example.com")
    server.decide("completed")
    auth.await_login(started.session_id)
    return auth


@pytest.fixture
def due(auth, days):
    """The app, when its token is in the last quarter of its life."""
    days.seconds = LIFE * 0.8
    return auth


def drops(wire, _document):
    wire.drops()


def fails(wire, _document):
    wire.refuses(503, "service_unavailable")


def is_another_account(wire, document):
    wire.sends_json(200, {**document, "did": "did:plc:mallory"})


# --- before the expiry ----------------------------------------------------------------


def test_session_with_a_fresh_token_is_not_renewed(auth, server, days):
    days.seconds = LIFE * 0.7

    assert auth.get_session().token == server.only().delivered[0]
    assert server.refreshed() == []


def test_session_near_its_end_is_renewed_and_stored(due, server, store):
    session = due.get_session()

    stored = decode(store.read()).stored
    assert session.token == server.only().delivered[1]
    assert (stored.session, stored.refresh.token) == (session, "refresh-1")
    assert "refresh" not in repr(session)
    assert due.get_session() == session
    assert len(server.refreshed()) == 1


def test_app_that_is_used_for_a_week_stays_signed_in(auth, server, days):
    for _ in range(7 * 24):
        days.seconds += 3600
        assert auth.get_session().token in server.only().delivered

    assert len(server.refreshed()) == 9  # every 18 to 19 hours


@pytest.mark.parametrize("fault", [drops, fails, is_another_account])
def test_renewal_that_fails_before_the_expiry_keeps_the_session(due, server, fault):
    server.refresh_faults.append(fault)

    assert due.get_session().token == server.only().delivered[0]
    assert due.get_session().token == server.only().delivered[-1]
    assert server.refresh_tokens == ["refresh-0", "refresh-1"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (drops, ServerUnreachable),
        (fails, LoginRefused),
        (is_another_account, NotALatchkeyServer),
    ],
)
def test_renewal_that_fails_after_the_expiry_raises_and_loses_nothing(
    auth, server, days, fault, error
):
    days.seconds = LIFE * 5
    server.refresh_faults.append(fault)

    with pytest.raises(error):
        auth.get_session()

    assert auth.get_session().token == server.only().delivered[-1]


def test_session_that_has_ended_is_removed(due, server, store):
    server.refresh_tokens = ["of another session"]

    assert due.get_session() is None
    assert store.read() is None


def test_session_without_refresh_token_ends_with_its_token(open_app, store, auth, days):
    state = json.loads(store.read())
    del state["refresh"]
    store.exchange(lambda _text: json.dumps(state))
    days.seconds = LIFE - 60
    assert auth.get_session() is not None

    days.seconds = LIFE + 60
    assert auth.get_session() is None


def test_refresh_token_of_another_login_counts_as_absent(auth, store):
    state = json.loads(store.read())
    state["refresh"]["claimed_with"] = "another"

    assert decode(json.dumps(state)).stored.refresh is None


# --- on a 401 -------------------------------------------------------------------------


class Service:
    """A service of the platform that refuses some tokens."""

    def __init__(self, *refused):
        self.refused = set(refused)
        self.seen = []

    def __call__(self, token):
        self.seen.append(token)
        self.status_code = 401 if token in self.refused else 200
        return self


def test_call_with_a_refused_token_is_repeated_with_a_new_one(auth, server):
    service = Service(auth.get_session().token)

    assert auth.call(service).status_code == 200
    assert service.seen == server.only().delivered


def test_call_of_a_session_that_has_ended_raises_not_signed_in(auth, server):
    server.refresh_tokens = []

    with pytest.raises(NotSignedIn):
        auth.call(Service(auth.get_session().token))
    with pytest.raises(NotSignedIn):
        auth.call(Service())


# --- signing out ----------------------------------------------------------------------


def test_sign_out_with_an_expired_token_ends_the_session_all_the_same(
    auth, server, days
):
    days.seconds = LIFE + 60

    assert auth.sign_out() == SignedOut(server_url=server.url)
    assert server.ended == [server.only().delivered[-1]]


def test_sign_out_during_a_renewal_leaves_no_session(due, server, store):
    server.refresh_faults.append(
        lambda wire, document: (due.clear_session(), wire.sends_json(200, document))
    )

    assert due.get_session() is None
    assert store.read() is None


# --- threads and processes ------------------------------------------------------------


def test_threads_that_need_a_token_share_one_renewal(due, server):
    sessions = together(*[due.get_session] * 8)

    assert {one.token for one in sessions} == {server.only().delivered[1]}
    assert len(server.refreshed()) == 1


APP = """
import os, signal, sys
from pathlib import Path
from app.native import AuthManager, FileStore, HttpTransport

class Dies(HttpTransport):
    def refresh(self, *given):
        answer = super().refresh(*given)
        if sys.argv[2] == "answered":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

class Store(FileStore):
    def exchange(self, change):
        super().exchange(change)
        if sys.argv[2] == "stored":
            os.kill(os.getpid(), signal.SIGKILL)

auth = AuthManager(Store(Path(sys.argv[1])), transport=Dies())
seen = auth.get_session()
print("ready", flush=True)
for _ in range(int(sys.stdin.readline())):
    seen = auth._renewal.after(seen)
print(seen.token, flush=True)
"""


@pytest.fixture
def file(tmp_path, store, auth):
    """The session in a file, as processes share it."""
    file = FileStore(tmp_path / "session.json")
    file.exchange(lambda _text: store.read())
    return file


def run(file, step=""):
    return subprocess.Popen(
        [sys.executable, "-c", APP, str(file.path), step],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(process, renewals):
    assert process.stdout.readline() == "ready\n"
    process.stdin.write(f"{renewals}\n")
    process.stdin.flush()


@pytest.mark.process
def test_four_processes_that_renew_at_once_stay_signed_in(server, file):
    processes = [run(file) for _ in range(4)]
    for process in processes:
        begin(process, 10)

    last = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert [process.returncode for process in processes] == [0] * 4
    assert decode(file.read()).stored.session.token in last
    assert decode(file.read()).stored.refresh.token == server.refresh_tokens[-1]
    assert len(server.refreshed()) == len(server.refresh_tokens) - 1


@pytest.mark.process
@pytest.mark.parametrize("step", ["answered", "stored"])
def test_process_killed_in_a_renewal_keeps_the_person_signed_in(
    server, file, open_app, step
):
    killed = run(file, step)
    begin(killed, 1)
    killed.communicate(timeout=60)
    assert killed.returncode == -9

    other = open_app(store=file)
    renewed = other._renewal.after(other.get_session())

    assert renewed.token == server.only().delivered[-1]
    assert decode(file.read()).stored.refresh.token == server.refresh_tokens[-1]


# --- over gRPC ------------------------------------------------------------------------


def test_renewal_over_grpc_renews_and_removes_what_has_ended(open_app, server, days):
    server.refreshes = True
    with serving(FakeAuthService(server)) as port:
        auth = open_app(clock=days.clock, transport=GrpcTransport(f"127.0.0.1:{port}"))
        started = auth.start_login(server.url, "alice.example.com")
        server.decide("completed")
        first = auth.await_login(started.session_id)
        days.seconds = 3000

        assert auth.get_session().token == server.only().delivered[-1] != first.token

        server.refresh_tokens = []
        days.seconds = 2 * LIFE
        assert auth.get_session() is None
