"""Everything at once: threads and processes of one app, on one store.

In any order, each await ends in one of its documented ways, the last login that
was started is the one that counts, and what is stored at the end is whole.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from app.native import (
    FileStore,
    LoginCancelled,
    LoginNotStarted,
    LoginSuperseded,
    NativeSession,
)
from app.native.records import decode
from tests.native.fake_server import FakeServer

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 60.0
ENDS = (LoginSuperseded, LoginCancelled, LoginNotStarted)


@pytest.fixture
def file(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "session.json")


def together(*calls):
    """Run the calls at once; return what each gave or raised of what it may raise."""
    results = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(index, call):
        gate.wait(LONGEST)
        try:
            results[index] = call()
        except ENDS as ended:
            results[index] = ended

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST)
        assert not thread.is_alive(), "a call does not end"
    return results


def signs_in(auth, server):
    started = auth.start_login(server.url, "alice.example.com")
    return auth.await_login(started.session_id)


@pytest.mark.parametrize("processes", [1, 3])
def test_twelve_logins_at_once_end_in_one_session(open_app, server, file, processes):
    """All of them start, all but one are told so, and the one has the session."""
    apps = [open_app(store=file) for _ in range(processes)]

    def start(auth):
        started = auth.start_login(server.url, "alice.example.com")
        return auth, started

    started = together(*[lambda a=apps[i % processes]: start(a) for i in range(12)])
    begun = [one for one in started if isinstance(one, tuple)]
    kept = decode(file.read()).pending
    server.decide("completed")
    results = together(
        *[lambda a=auth, s=login: a.await_login(s.session_id) for auth, login in begun]
    )

    winners = [one for one in results if isinstance(one, NativeSession)]
    (winner,) = winners
    assert apps[0].get_session() == winner
    (index,) = [i for i, one in enumerate(results) if one is winner]
    assert begun[index][1].session_id == kept.session_id
    others = [*started, *results]
    lost = [one for one in others if isinstance(one, Exception)]
    assert {type(one) for one in lost} == {LoginSuperseded}
    assert sum(login.acknowledged for login in server.logins.values()) == 1


def test_start_does_not_wait_for_running_awaits(auth, server, later):
    waits = []
    for _ in range(10):
        started = auth.start_login(server.url, "alice.example.com")
        waits.append(later(lambda s=started: auth.await_login(s.session_id)))
        server.wait_for(len(waits))

    for superseded in waits[:-1]:
        with pytest.raises(LoginSuperseded):
            superseded.result()
    assert waits[-1].is_running
    auth.clear_session()
    with pytest.raises(LoginCancelled):
        waits[-1].result()


@pytest.mark.parametrize("seed", range(6))
def test_clear_session_during_the_answer_leaves_both_or_neither(
    open_app, server, file, seed
):
    """The token arrives while another call signs out."""
    ours, theirs = open_app(store=file), open_app(store=file)
    clearing = [ours, theirs][seed % 2]
    started = ours.start_login(server.url, "alice.example.com")

    (result, *_) = together(
        lambda: ours.await_login(started.session_id),
        lambda: server.decide("completed"),
        clearing.clear_session,
    )

    assert isinstance(result, (NativeSession, LoginCancelled, LoginNotStarted))
    assert ours.get_session() is theirs.get_session() is None or (
        ours.get_session() == theirs.get_session() == result
    )
    if ours.get_session() is None:
        assert file.read() is None


@dataclass(frozen=True)
class Chaos:
    """Things that a thread may do to an app, in any order."""

    server: FakeServer
    file: FileStore

    def sign_in(self, auth):
        with suppress(*ENDS):
            assert signs_in(auth, self.server).token

    def cancel(self, auth):
        pending = auth.pending_login()
        auth.cancel(pending.session_id if pending else "s" * 43)

    def sign_out(self, auth):
        auth.clear_session()

    def look(self, auth):
        state = decode(self.file.read())
        found = [
            auth.get_session(),
            state.pending,
            state.stored and state.stored.session,
        ]
        assert {one.server_url for one in found if one} <= {self.server.url}

    def plan(self, random, apps):
        """Return a thread's own order of things."""
        things = [self.sign_in, self.sign_in, self.cancel, self.sign_out, self.look]
        steps = [(random.choice(things), random.choice(apps)) for _ in range(8)]
        return lambda: [thing(auth) for thing, auth in steps]


@contextmanager
def deciding(server):
    """Approve every pending login, again and again."""
    over = threading.Event()

    def decide():
        while not over.wait(0.01):
            server.decide("completed")

    decider = threading.Thread(target=decide)
    decider.start()
    try:
        yield
    finally:
        over.set()
        decider.join(LONGEST)


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_of_eight_threads_leave_no_incomplete_session(
    open_app, server, file, seed
):
    """Eight threads of two processes start, await, cancel and sign out at random."""
    apps = [open_app(store=file) for _ in range(2)]
    random, chaos = Random(seed), Chaos(server, file)
    plans = [chaos.plan(random, apps) for _ in range(8)]

    with deciding(server):
        results = together(*plans)
        session = signs_in(apps[0], server)

    assert all(isinstance(one, list) for one in results), results
    assert apps[1].get_session() == session
    assert decode(file.read()).pending is None


# One process of an app: starts a login, waits, and tells how it ended.
PROCESS = """
import json, sys
from pathlib import Path
from app.native import AuthManager, Backoff, FileStore, NativeError

auth = AuthManager(FileStore(Path(sys.argv[1])), backoff=Backoff(first=0.05))
try:
    started = auth.start_login(sys.argv[2], "alice.example.com")
    session = auth.await_login(started.session_id, timeout=40)
    print(json.dumps({"token": session.token}))
except NativeError as error:
    print(json.dumps({"error": error.code}))
"""


@pytest.mark.process
def test_four_processes_at_once_end_in_one_session(file):
    with FakeServer() as server:
        running = [
            subprocess.Popen(
                [sys.executable, "-c", PROCESS, str(file.path), server.url],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        try:
            with server.changed:
                begun = server.changed.wait_for(
                    lambda: sum(a.method == "POST" for a in server.asked) == 4, LONGEST
                )
            assert begun
            survivors(running, server)
            told = [json.loads(one.communicate(timeout=LONGEST)[0]) for one in running]
        finally:
            for process in running:
                process.kill()
                process.wait(LONGEST)

    ends = Counter(one.get("error", "signed in") for one in told)
    assert ends == {"signed in": 1, "login_superseded": 3}
    (token,) = [one["token"] for one in told if "token" in one]
    assert decode(file.read()).stored.session.token == token


def survivors(running, server):
    """Decide once all but the last one have noticed that they are not the last."""
    for _ in range(int(LONGEST / 0.05)):
        ended = [one for one in running if one.poll() is not None]
        if len(ended) == 3:
            break
        threading.Event().wait(0.05)
    server.decide("completed")
