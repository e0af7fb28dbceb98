"""Keys and ended sessions in memory: how often they are fetched, and outages."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from latchkey_verify import (
    KeysUnavailable,
    SessionEnded,
    TokenInvalid,
    Verifier,
    VerifyError,
)
from latchkey_verify.document import RETRY, Document
from tests.verify.service import HOUR, FakeService

JWKS = "/.well-known/jwks.json"
FEED = "/auth/revocations"


def refreshing() -> list[threading.Thread]:
    """Return the threads that refresh in the background; named by their target."""
    return [one for one in threading.enumerate() if one.name.endswith("(refresh)")]


def settle() -> None:
    """Wait for the threads that refresh in the background."""
    for thread in refreshing():
        thread.join(5)


def test_many_tokens_cause_one_fetch_of_each_document(service: FakeService):
    verifier = service.verifier()
    for _ in range(5):
        verifier.verify(service.token())

    assert sorted(service.asked) == [JWKS, FEED]


def test_keys_are_kept_while_the_service_is_down(service: FakeService):
    verifier = service.verifier()
    verifier.verify(service.token())
    service.is_down = True
    service.clock.advance(20 * HOUR)

    assert verifier.verify(service.token()).username == "alice"
    settle()


def test_first_token_while_the_service_is_down_raises_keys_unavailable(service):
    service.is_down = True

    with pytest.raises(KeysUnavailable):
        service.verifier().verify(service.token())


FORKED = """
import os, threading
from tests.verify.service import FakeService

service, parent = FakeService(), os.getpid()
fetch, begun, never = service.fetch, threading.Event(), threading.Event()

def held(url):
    if os.getpid() == parent:
        begun.set()
        never.wait()
    return fetch(url)

service.fetch = held
verifier, token = service.verifier(), service.token()
threading.Thread(target=verifier.verify, args=[token], daemon=True).start()
assert begun.wait(5)
child = os.fork()
if child == 0:
    print(verifier.verify(token).username)
else:
    os.waitpid(child, 0)
"""
"""Forks while a thread fetches the keys; the child verifies."""


class Gate:
    """Lets the fetches of a service begin, and holds their answers back."""

    def __init__(self, service: FakeService) -> None:
        self._fetch = service.fetch
        self.asked, self.opened = threading.Event(), threading.Event()
        self.opened.set()
        service.fetch = self.fetch  # type: ignore[method-assign]

    def close(self) -> None:
        self.asked.clear()
        self.opened.clear()

    def fetch(self, url: str) -> bytes:
        self.asked.set()
        assert self.opened.wait(5)
        return self._fetch(url)


def verify_at_once(verifier: Verifier, token: str, gate: Gate) -> list[str]:
    """Verify in two threads, the second while the first one fetches."""
    outcomes: list[str] = []
    gate.close()

    def verify() -> None:
        try:
            outcomes.append(verifier.verify(token).username)
        except VerifyError as error:
            outcomes.append(type(error).__name__)

    first, second = (threading.Thread(target=verify) for _ in range(2))
    first.start()
    assert gate.asked.wait(5)
    second.start()
    second.join(0.1)  # it would be done by now, did it not wait
    gate.opened.set()
    for thread in (first, second):
        thread.join(5)
    return outcomes


def test_callers_wait_for_the_first_fetch_of_another_thread(service: FakeService):
    gate = Gate(service)

    assert verify_at_once(service.verifier(), service.token(), gate) == ["alice"] * 2


def test_ended_session_is_refused_in_each_thread_after_a_quiet_time(service):
    gate = Gate(service)
    verifier = service.verifier()
    verifier.verify(service.token())
    service.ended["session-1"] = int(service.clock.now) + HOUR
    service.clock.advance(30)

    outcomes = verify_at_once(verifier, service.token(), gate)

    assert outcomes == ["SessionEnded"] * 2


def test_callers_do_not_wait_in_an_outage_that_is_known(service: FakeService):
    gate = Gate(service)
    verifier = service.verifier()
    verifier.verify(service.token())
    service.is_down = True
    service.clock.advance(60)
    verifier.verify(service.token())  # waits for the feed, and fails
    service.clock.advance(10)
    gate.close()

    assert verifier.verify(service.token())
    assert gate.asked.wait(5)  # in a thread, which still waits
    gate.opened.set()
    settle()


class InTurns:
    """A clock; another thread acts at the moment when it is read for the first time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.meanwhile: threading.Thread | None = None

    def __call__(self) -> float:
        other, self.meanwhile = self.meanwhile, None
        if other is not None:
            other.start()
            other.join(5)
        return self.now


@pytest.mark.parametrize("age", [None, 60.0])
def test_get_returns_what_another_thread_loads_meanwhile(age):
    clock, loads = InTurns(), iter(["first", "second"])
    document = Document[str](lambda _: next(loads), fresh=10.0, stale=30.0, clock=clock)
    if age is not None:
        document.get()
        clock.now += age
    clock.meanwhile = threading.Thread(target=document.refresh)

    assert document.get() == ("first" if age is None else "second")


class SlowOutage:
    """A document that is loaded once; later attempts fail after a long time."""

    def __init__(self) -> None:
        self.clock, self.tries = InTurns(), 0
        self.begun, self.opened = threading.Event(), threading.Event()

    def load(self, before: str | None) -> str:
        if before is None:
            return "first"
        self.tries += 1
        self.begun.set()
        assert self.opened.wait(5)
        self.clock.now += RETRY + 1
        raise OSError("no name server answers")


@pytest.fixture
def outage() -> SlowOutage:
    return SlowOutage()


def test_attempt_that_takes_long_is_the_only_one(outage: SlowOutage):
    document = Document[str](outage.load, fresh=10.0, stale=1e6, clock=outage.clock)
    document.get()
    outage.clock.now += 10
    document.get()  # starts the attempt
    assert outage.begun.wait(5)
    outage.clock.now += RETRY
    for _ in range(20):
        document.get()
    threads = len(refreshing())
    outage.opened.set()
    settle()

    assert (threads, outage.tries) == (1, 1)


def test_callers_that_waited_for_a_long_attempt_make_none(outage: SlowOutage):
    document = Document[str](outage.load, fresh=10.0, stale=30.0, clock=outage.clock)
    document.get()
    outage.clock.now += 60
    callers = [threading.Thread(target=document.get) for _ in range(5)]
    for caller in callers:
        caller.start()
    assert outage.begun.wait(5)
    outage.opened.set()
    for caller in callers:
        caller.join(5)

    assert outage.tries == 1


@pytest.mark.process
def test_child_of_a_fork_during_the_first_fetch_fetches_itself():
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ran.stdout == "alice\n", ran.stderr


@pytest.mark.parametrize("body", [b"[" * 200_000, b"\xff", b"", b"{}", b"[]"])
def test_hostile_jwks_is_an_outage(service: FakeService, body):
    service.fetch = lambda url: body  # type: ignore[method-assign]

    with pytest.raises(KeysUnavailable):
        service.verifier().verify(service.token())


def test_failed_fetches_are_ten_seconds_apart(service: FakeService):
    service.is_down = True
    verifier = service.verifier()
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            verifier.verify(service.token())
        service.clock.advance(1)

    assert service.asked.count(JWKS) == 2


def test_service_that_comes_back_is_asked_again(service: FakeService):
    service.is_down = True
    verifier = service.verifier()
    with pytest.raises(KeysUnavailable):
        verifier.verify(service.token())
    service.is_down = False
    service.clock.advance(10)

    assert verifier.verify(service.token())


def test_unknown_key_id_causes_one_fetch_in_ten_seconds(service: FakeService):
    verifier = service.verifier()
    verifier.verify(service.token())
    service.clock.advance(10)
    service.asked.clear()
    for _ in range(20):
        with pytest.raises(TokenInvalid, match="kid"):
            verifier.verify(service.token(kid="unknown"))

    assert service.asked.count(JWKS) == 1


def test_new_key_is_found_by_its_first_token(service: FakeService):
    verifier = service.verifier()
    verifier.verify(service.token())
    service.clock.advance(10)
    service.publish("second")

    assert verifier.verify(service.token(kid="second"))


def test_old_keys_are_refreshed_in_the_background(service: FakeService):
    verifier = service.verifier()
    verifier.verify(service.token())
    service.clock.advance(300)
    token = service.token()
    service.publish("second")
    del service.published["first"]

    assert verifier.verify(token)
    settle()
    with pytest.raises(TokenInvalid, match="kid"):
        verifier.verify(token)


def test_session_in_the_feed_raises_ended(service: FakeService):
    service.ended["session-1"] = int(service.clock.now) + HOUR

    with pytest.raises(SessionEnded):
        service.verifier().verify(service.token())


def test_session_that_ended_after_a_quiet_time_is_refused_at_once(service: FakeService):
    verifier = service.verifier()
    verifier.verify(service.token())
    service.ended["session-1"] = int(service.clock.now) + HOUR
    service.clock.advance(30)

    with pytest.raises(SessionEnded):
        verifier.verify(service.token())


def test_session_that_ended_is_refused_within_two_requests_of_ten_seconds(service):
    verifier = service.verifier()
    verifier.verify(service.token())
    service.ended["session-1"] = int(service.clock.now) + HOUR
    service.clock.advance(10)
    verifier.verify(service.token())  # starts the refresh
    settle()

    with pytest.raises(SessionEnded):
        verifier.verify(service.token())


def test_feed_is_read_by_pages_and_from_the_cursor_on(service: FakeService):
    service.page = 2
    service.ended |= {f"old-{n}": int(service.clock.now) + HOUR for n in range(5)}
    verifier = service.verifier()
    verifier.verify(service.token())
    assert service.asked.count(FEED) == 3

    service.ended["session-1"] = int(service.clock.now) + HOUR
    service.clock.advance(30)
    with pytest.raises(SessionEnded):
        verifier.verify(service.token())
    assert service.asked.count(FEED) == 4


def test_ended_sessions_are_kept_while_the_service_is_down(service: FakeService):
    service.ended["session-1"] = int(service.clock.now) + HOUR
    verifier = service.verifier()
    with pytest.raises(SessionEnded):
        verifier.verify(service.token())
    service.is_down = True
    service.clock.advance(60)

    with pytest.raises(SessionEnded):
        verifier.verify(service.token())


def test_sessions_whose_tokens_are_over_are_forgotten(service: FakeService):
    service.ended["gone"] = int(service.clock.now) + 60
    verifier = service.verifier()
    verifier.verify(service.token())
    service.clock.advance(61)
    verifier.verify(service.token())

    held = verifier._ended.get()
    assert held is not None
    assert "gone" not in held.sessions


def test_dropped_key_is_refused_before_the_keys_are_refreshed(service: FakeService):
    service.publish("second")
    verifier = service.verifier()
    token = service.token()
    verifier.verify(token)
    del service.published["first"]
    service.feed_signer = "second"
    service.clock.advance(30)

    with pytest.raises(TokenInvalid, match="kid"):
        verifier.verify(token)


def test_key_published_after_the_feed_was_read_is_accepted(service: FakeService):
    verifier = service.verifier()
    verifier.verify(service.token())
    service.publish("second")
    service.clock.advance(9)
    with pytest.raises(TokenInvalid, match="kid"):  # the JWKS is 9 s old
        verifier.verify(service.token(kid="second"))
    service.clock.advance(1)

    assert verifier.verify(service.token(kid="second"))


@pytest.mark.parametrize(
    "feed",
    ["", "nonsense", "[]", "a.b.c"],
)
def test_feed_that_is_not_the_services_is_ignored(service: FakeService, feed):
    service.feed = lambda query: feed  # type: ignore[method-assign]

    assert service.verifier().verify(service.token())


def test_platform_token_as_feed_is_ignored(service: FakeService):
    service.feed = lambda query: service.token(  # type: ignore[method-assign]
        sessions={"session-1": 2**40}, keys=[], next="1", more=False
    )

    assert service.verifier().verify(service.token())


@pytest.mark.parametrize(
    "changes",
    [
        {"sessions": []},
        {"sessions": {"other": "soon"}},
        {"sessions": {"other": 1.5}},
        {"keys": "first"},
        {"keys": [5]},
        {"next": 5},
        {"next": "1" * 101},
        {"more": "no"},
        {"more": None},
    ],
)
def test_signed_feed_of_another_form_leaves_what_was_known(service, changes):
    service.ended["session-1"] = int(service.clock.now) + HOUR
    verifier = service.verifier()
    with pytest.raises(SessionEnded):
        verifier.verify(service.token())
    page = {"sessions": {}, "keys": ["first"], "next": "", "more": False} | changes
    service.feed = lambda query: service.token(typ="revocations+jwt", **page)
    service.clock.advance(30)

    with pytest.raises(SessionEnded):
        verifier.verify(service.token())
    held = verifier._ended.get()
    assert held is not None
    assert set(held.sessions) == {"session-1"}
    assert held.cursor == "1"


def test_feed_that_never_ends_is_read_for_fifty_pages(service: FakeService):
    def endless(query: str) -> str:
        claims = service.claims(sessions={}, keys=[], next="1", more=True)
        return service.sign(claims, typ="revocations+jwt", kid="first")

    service.feed = endless  # type: ignore[method-assign]
    service.verifier().verify(service.token())

    assert service.asked.count(FEED) == 50
