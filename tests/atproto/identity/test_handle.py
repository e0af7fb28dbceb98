"""From a handle to the DID it points to (requirements 1.5, 1.6, 1.11 to 1.19)."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.errors import (
    ClientBusy,
    DocumentInvalid,
    HandleNotFound,
    HostCircuitOpen,
    HostFailing,
    HostUnknown,
    HostUnreachable,
    ResponseTooLarge,
    ServerInvalid,
    UnsafeURL,
)
from app.atproto.http.limits import NotWanted, current_is_wanted
from app.atproto.http.turns import Turns
from app.atproto.http.types import Deadline, Response
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.identity import handle as handle_module
from app.atproto.identity.handle import LOOKUP_LIMIT, HandleResolver
from app.atproto.syntax.grammar import Handle
from tests.fakes.world import plc_did

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALICE = Handle("alice.skyhost.social")
A, B = plc_did("a"), plc_did("b")
WELL_KNOWN = f"https://{ALICE}/.well-known/atproto-did"
PATIENCE = 20.0
"""Seconds after which a lookup that a test holds back goes on by itself."""


@dataclass
class Web:
    """An HTTP door with a table of answers; a URL that is not in it is a mistake."""

    answers: dict[str, Response | Exception] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    gate: threading.Event | None = None

    def says(self, body: str, *, status: int = 200, url: str = WELL_KNOWN) -> None:
        self.answers[url] = Response(status, {}, body.encode(), url)

    def fails(self, error: Exception, *, url: str = WELL_KNOWN) -> None:
        self.answers[url] = error

    def request(
        self,
        method: str,
        url: str,
        *,
        deadline: Deadline,
        limit: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        redirects: int = 0,
        timeout: float = 10.0,
    ) -> Response:
        self.asked.append(
            {
                "method": method,
                "url": url,
                "limit": limit,
                "redirects": redirects,
                "timeout": min(timeout, deadline.remaining()),
            }
        )
        if self.gate is not None:
            self.gate.wait(PATIENCE)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Dns:
    """A table of TXT records, or a failure."""

    records: list[str] = field(default_factory=list)
    failure: Exception | None = None
    asked: list[tuple[str, float]] = field(default_factory=list)
    gate: threading.Event | None = None

    def __call__(self, name: str, *, timeout: float) -> list[str]:
        self.asked.append((name, timeout))
        if self.gate is not None:
            self.gate.wait(PATIENCE)
        if self.failure is not None:
            raise self.failure
        return self.records


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    web.says("Not Found", status=404)
    yield web
    if web.gate is not None:
        web.gate.set()


@pytest.fixture
def dns() -> Iterator[Dns]:
    dns = Dns()
    yield dns
    if dns.gate is not None:
        dns.gate.set()


def resolver(web: Web, dns: Dns, **options: Any) -> HandleResolver:
    given = {
        "policy": NetworkPolicy(),
        "before_host": lambda _host: None,
    }
    return HandleResolver(http=web, txt=dns, **{**given, **options})


def resolve(
    web: Web, dns: Dns, handle: Handle = ALICE, *, seconds: float = 60.0, **options: Any
) -> str:
    deadline = Deadline.after(seconds)
    return resolver(web, dns, **options).resolve(handle, deadline=deadline)


# --- either method, or both -------------------------------------------------------


def test_handle_with_txt_record_only_returns_its_did(web: Web, dns: Dns) -> None:
    """Requirement 1.11."""
    dns.records = [f"did={A}"]

    assert resolve(web, dns) == A
    assert dns.asked[0][0] == f"_atproto.{ALICE}"


def test_handle_with_https_only_returns_its_did(web: Web, dns: Dns) -> None:
    """Requirement 1.11."""
    web.says(A)

    assert resolve(web, dns) == A


def test_handle_with_two_answers_returns_the_did_of_dns(web: Web, dns: Dns) -> None:
    """Requirement 1.12."""
    dns.records = [f"did={A}"]
    web.says(B)

    assert resolve(web, dns) == A


def test_handle_with_later_dns_answer_returns_the_did_of_dns(
    web: Web, dns: Dns
) -> None:
    """Requirement 1.12: a valid HTTPS answer waits for it."""
    dns.gate = threading.Event()
    dns.records = [f"did={A}"]
    web.says(B)
    threading.Timer(0.05, dns.gate.set).start()

    assert resolve(web, dns) == A


def test_handle_with_silent_dns_returns_the_did_of_https(web: Web, dns: Dns) -> None:
    """Requirement 1.12: a moment, and no more; DNS would say something else much
    later.
    """
    dns.gate = threading.Event()
    dns.records = [f"did={A}"]
    web.says(B)
    late = threading.Timer(2.0, dns.gate.set)
    late.start()

    assert resolve(web, dns) == B
    late.cancel()


def test_handle_with_slow_host_returns_the_did_of_dns(web: Web, dns: Dns) -> None:
    """A valid TXT record is used at once, while the host is still being asked."""
    web.gate = threading.Event()
    dns.records = [f"did={A}"]

    assert resolve(web, dns) == A
    assert not web.gate.is_set()


class LateTurn(Turns):
    """A turn that a thread gets back when all its lookups have ended."""

    def __init__(self, handles: HandleResolver, gate: threading.Event) -> None:
        super().__init__()
        self._handles, self._gate = handles, gate

    def _take(self) -> None:
        if getattr(self, "_has_waited", False):
            self._gate.set()
            self._handles._lookups.shutdown()
        self._has_waited = True
        super()._take()


def test_answer_after_the_deadline_is_no_unknown_handle(web: Web, dns: Dns) -> None:
    """A thread of the asynchronous client waits for its turn before it goes on."""
    web.gate = threading.Event()
    web.says(A)
    handles = resolver(web, dns)

    with (
        LateTurn(handles, web.gate).taken(),
        pytest.raises(HostUnreachable, match="too long"),
    ):
        handles.resolve(ALICE, deadline=Deadline.after(0.1))


def test_https_request_is_given_up_once_dns_has_answered(web: Web, dns: Dns) -> None:
    asked, go_on = threading.Event(), threading.Event()
    dns.records, dns.gate = [f"did={A}"], asked
    wanted: list[bool] = []

    def request(*_: object, **__: object) -> Response:
        wanted.append(current_is_wanted()())
        asked.set()
        go_on.wait(PATIENCE)
        wanted.append(current_is_wanted()())
        raise NotWanted

    web.request = request  # type: ignore[method-assign]
    handles = resolver(web, dns)

    assert handles.resolve(ALICE, deadline=Deadline.after(60)) == A

    go_on.set()
    handles._lookups.shutdown()
    assert wanted == [True, False]


def test_both_methods_start_together(web: Web, dns: Dns) -> None:
    """Each waits until the other one has begun: one after another would fail."""
    meeting = threading.Barrier(2, timeout=PATIENCE)

    class Meets(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return meeting.wait() >= 0

    web.gate, dns.gate = Meets(), Meets()
    web.says(A)

    assert resolve(web, dns) == A


# --- what DNS says ----------------------------------------------------------------


@pytest.mark.parametrize(
    "records",
    [
        [f"did={A}"],
        ["v=spf1 -all", f"did={A}", "google-site-verification=x"],
        [f"did={A}", f"did={A}"],
        [f"did={A}", f" did={B}", f"DID={B}", f"xdid={B}"],
    ],
)
def test_the_one_did_among_the_records_is_found(
    web: Web, dns: Dns, records: list[str]
) -> None:
    """Requirement 1.13: equal ones count as one; what does not start with did= is
    not meant.
    """
    dns.records = records

    assert resolve(web, dns) == A


def test_handle_with_two_txt_dids_returns_the_did_of_https(web: Web, dns: Dns) -> None:
    """Requirement 1.13: none of them is picked; HTTPS may still answer."""
    dns.records = [f"did={A}", f"did={B}"]
    web.says(A)

    assert resolve(web, dns) == A


def test_handle_with_two_txt_dids_only_raises_document_invalid(
    web: Web, dns: Dns
) -> None:
    """Requirement 1.13: a clear message, not "not found"."""
    dns.records = [f"did={A}", f"did={B}"]

    with pytest.raises(DocumentInvalid, match="different accounts") as failure:
        resolve(web, dns)

    assert failure.value.host == f"_atproto.{ALICE}"


@pytest.mark.parametrize(
    "value",
    [f" {A}", f"{A} ", A.upper(), A[:-1], "did:key:zQ3sh", "", "alice", A + "\n"],
)
def test_malformed_txt_record_is_not_repaired(web: Web, dns: Dns, value: str) -> None:
    """Requirement 1.13: an invalid one is as good as none."""
    dns.records = [f"did={value}"]

    with pytest.raises(HandleNotFound):
        resolve(web, dns)


def test_a_handle_too_long_for_the_prefix_is_asked_by_https_alone(
    web: Web, dns: Dns
) -> None:
    """Requirement 1.14."""
    longest = Handle(".".join(["a" * 61] * 3) + "." + "b" * 58)
    assert len(longest) == 244
    for handle in (longest, Handle("a" + longest)):
        web.says(A, url=f"https://{handle}/.well-known/atproto-did")
        assert resolve(web, dns, handle) == A

    assert [name for name, _ in dns.asked] == [f"_atproto.{longest}"]


# --- what the host says -----------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 203, 299])
@pytest.mark.parametrize("body", [A, f"{A}\n", f"  {A}\r\n", f"\n{A}\n\n"])
def test_a_did_in_any_success_is_an_answer(
    web: Web, dns: Dns, status: int, body: str
) -> None:
    """Requirement 1.15: with any content type, a little white space around it."""
    web.says(body, status=status)

    assert resolve(web, dns) == A


@pytest.mark.parametrize(
    "body",
    ["", "<!doctype html>", f"did={A}", f"{A} {B}", A.upper(), "did:key:zQ3", "é"],
)
def test_handle_page_without_a_did_raises_handle_not_found(
    web: Web, dns: Dns, body: str
) -> None:
    """Many sites answer 200 to everything."""
    web.says(body)

    with pytest.raises(HandleNotFound):
        resolve(web, dns)


def test_the_host_is_asked_within_limits(web: Web, dns: Dns) -> None:
    """Requirements 1.16, 1.17."""
    web.says(A)

    resolve(web, dns)

    asked = web.asked[0]
    assert asked["url"] == WELL_KNOWN
    assert asked["method"] == "GET"
    assert asked["redirects"] == 3
    assert asked["limit"] <= 10_480
    assert asked["timeout"] <= 3.0
    assert dns.asked[0][1] <= 3.0


def test_no_lookup_may_outlive_the_login(web: Web, dns: Dns) -> None:
    """Requirement 1.17: the login's own time limit holds where it is sooner."""
    web.says(A)

    resolve(web, dns, seconds=0.5)

    assert web.asked[0]["timeout"] <= 0.5
    assert dns.asked[0][1] <= 0.5


# --- no is not the same as no answer (requirement 1.18) -------------------------------


@pytest.mark.parametrize("status", [404, 410])
def test_handle_without_record_and_page_raises_handle_not_found(
    web: Web, dns: Dns, status: int
) -> None:
    web.says("gone", status=status)

    with pytest.raises(HandleNotFound) as failure:
        resolve(web, dns)

    assert failure.value.handle == ALICE


@pytest.mark.parametrize("error", [HostUnknown(ALICE), ResponseTooLarge(ALICE, 9)])
def test_handle_host_without_address_or_with_long_page_raises_handle_not_found(
    web: Web, dns: Dns, error: Exception
) -> None:
    web.fails(error)

    with pytest.raises(HandleNotFound):
        resolve(web, dns)


FAILURES = [
    HostUnreachable(ALICE, "refused"),
    HostFailing(ALICE, 503),
    HostCircuitOpen(ALICE, 30.0),
    HostUnknown("www.skyhost.social"),  # to which it redirects
    UnsafeURL(ALICE, "its address is private"),
    ServerInvalid(ALICE, "compressed"),
]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_handle_with_failing_host_raises_host_unreachable(
    web: Web, dns: Dns, error: Exception
) -> None:
    web.fails(error)

    with pytest.raises(type(error)) as failure:
        resolve(web, dns)

    assert failure.value is error


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (503, HostFailing),
        (500, HostFailing),
        (429, HostFailing),
        (403, HostUnreachable),
        (401, HostUnreachable),
        (302, HostUnreachable),
    ],
)
def test_handle_with_other_status_raises_host_unreachable(
    web: Web, dns: Dns, status: int, kind: type[Exception]
) -> None:
    """Firewalls answer 403 to data centres: nothing was said of the handle."""
    web.says("", status=status)

    with pytest.raises(kind) as failure:
        resolve(web, dns)

    assert type(failure.value) is kind


def test_handle_with_failing_dns_raises_host_unreachable(web: Web, dns: Dns) -> None:
    dns.failure = HostUnreachable(f"_atproto.{ALICE}", "SERVFAIL")

    with pytest.raises(HostUnreachable) as failure:
        resolve(web, dns)

    assert failure.value is dns.failure


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_handle_with_failing_host_returns_the_did_of_dns(
    web: Web, dns: Dns, error: Exception
) -> None:
    web.fails(error)
    dns.records = [f"did={A}"]

    assert resolve(web, dns) == A


def test_handle_with_failing_dns_returns_the_did_of_https(web: Web, dns: Dns) -> None:
    dns.failure = HostUnreachable(f"_atproto.{ALICE}", "SERVFAIL")
    web.says(A)

    assert resolve(web, dns) == A


def test_handle_with_two_silent_methods_ends_at_the_budget(web: Web, dns: Dns) -> None:
    web.gate, dns.gate = threading.Event(), threading.Event()

    with pytest.raises(HostUnreachable, match="too long"):
        resolve(web, dns, seconds=0.05)

    assert not web.gate.is_set()


def test_handle_lookup_with_programming_error_raises_it(web: Web, dns: Dns) -> None:
    """No exception is swallowed, from either method."""
    dns.failure = ZeroDivisionError()
    web.says(A)

    with pytest.raises(ZeroDivisionError):
        resolve(web, dns)


# --- whom we ask at all ---------------------------------------------------------------


@pytest.mark.parametrize(
    "handle", ["laptop.local", "x.onion", "handle.invalid", "a.internal", "a.test"]
)
def test_a_reserved_name_is_never_looked_up(web: Web, dns: Dns, handle: str) -> None:
    """Requirements 1.5, 1.6."""
    counted: list[str] = []

    with pytest.raises(HandleNotFound):
        resolve(web, dns, Handle(handle), before_host=counted.append)

    assert (web.asked, dns.asked, counted) == ([], [], [])


def test_a_test_network_has_test_names(web: Web, dns: Dns) -> None:
    dns.records = ["did=did:web:alice.test"]
    web.says("", status=404, url="https://alice.test/.well-known/atproto-did")

    found = resolve(web, dns, Handle("alice.test"), policy=NetworkPolicy.lab())

    assert found == "did:web:alice.test"


def test_the_host_is_announced_before_it_is_asked(web: Web, dns: Dns) -> None:
    """Requirement 9.6: the rate limit may refuse."""

    class Enough(Exception):
        pass

    def refuse(host: str) -> None:
        assert host == ALICE
        raise Enough

    with pytest.raises(Enough):
        resolve(web, dns, before_host=refuse)

    assert (web.asked, dns.asked) == ([], [])


def test_a_hundred_lookups_share_a_bounded_number_of_threads(
    web: Web, dns: Dns
) -> None:
    """Requirement 9.6: and the waiting ones end with their own budget."""
    before = threading.active_count()
    web.gate, dns.gate = threading.Event(), threading.Event()
    busy = resolver(web, dns)
    failures: list[Exception] = []

    def login() -> None:
        try:
            busy.resolve(ALICE, deadline=Deadline.after(0.3))
        except (HostUnreachable, ClientBusy) as failure:
            failures.append(failure)

    logins = [threading.Thread(target=login) for _ in range(100)]
    for thread in logins:
        thread.start()
    for thread in logins:
        thread.join(PATIENCE)

    assert len(failures) == 100
    assert threading.active_count() - before <= 128
    assert LOOKUP_LIMIT <= 5.0


def test_lookup_that_waited_for_a_thread_raises_client_busy(
    web: Web, dns: Dns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full pool of ours is no failure of the handle's host."""
    monkeypatch.setattr(handle_module, "MOST_LOOKUPS", 2)
    web.gate, dns.gate = threading.Event(), threading.Event()
    busy = resolver(web, dns)

    with pytest.raises(HostUnreachable, match="took too long"):
        busy.resolve(ALICE, deadline=Deadline.after(0.1))
    with pytest.raises(ClientBusy):
        busy.resolve(ALICE, deadline=Deadline.after(0.1))

    web.gate.set()
    dns.gate.set()


IN_A_GEVENT_WORKER = """
from gevent import monkey

monkey.patch_all()

import socket

import gevent

from app.atproto.identity.dns import DnsTxtLookup
from tests.atproto.identity.test_handle import ALICE, B, Deadline, Web, resolver

silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 0))
web, ticks = Web(), []
web.says(B)


def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.01)


gevent.spawn(tick)
lookup = resolver(web, DnsTxtLookup([silent.getsockname()]))
print(lookup.resolve(ALICE, deadline=Deadline.after(9.0)) == B, len(ticks) > 3)
"""


@pytest.mark.process
def test_lookups_leave_a_gevent_worker_free() -> None:
    """Our workers are greenlets: while two lookups wait, others go on."""
    ran = subprocess.run(
        [sys.executable, "-c", IN_A_GEVENT_WORKER],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.stdout == "True True\n", ran.stderr
