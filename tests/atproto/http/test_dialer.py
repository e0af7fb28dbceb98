"""Name lookup and connecting: happy eyeballs (RFC 8305), absolute names."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from app.atproto.errors import ClientBusy, HostCircuitOpen, HostUnreachable
from app.atproto.http import dialer
from app.atproto.http.circuit_breaker import Breaker
from app.atproto.http.client import NetworkPolicy
from app.atproto.http.dialer import MAX_REMEMBERED, Dialer, resolve_by_system
from tests.atproto.doors import Door
from tests.fakes.clock import FakeClock
from tests.fakes.hostile import HostileServer, says

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SILENT, GOOD = "127.0.0.2", "127.0.0.1"


def dialing(*addresses: str) -> Dialer:
    return Dialer(lambda _host, _port: addresses, lambda _address, _host: None)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts at GOOD; at SILENT its queue is full, so nothing answers."""
    held = []
    silent = socket.socket()
    silent.bind((SILENT, 0))
    silent.listen(0)
    number = silent.getsockname()[1]
    for _ in range(4):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex((SILENT, number))
        held.append(waiting)
    good = socket.create_server((GOOD, number))
    yield number
    for sock in (*held, silent, good):
        sock.close()


@pytest.mark.allow_hosts([SILENT, GOOD])
def test_silent_first_address_delays_one_connection_only(silent_port, monkeypatch):
    """The machine has an IPv6 address and no IPv6 route: every dual-stack host."""
    started: list[str] = []
    start = dialer._Race._start

    def noting(race, selector, address, now):
        started.append(address)
        start(race, selector, address, now)

    monkeypatch.setattr(dialer._Race, "_start", noting)
    dial = dialing(SILENT, GOOD)

    for _ in range(3):  # handle, directory and PDS of one login
        sock = dial("dual.cafe", silent_port, 5.0)
        assert sock.getpeername()[0] == GOOD
        sock.close()

    assert started == [SILENT, GOOD, GOOD, GOOD]


@pytest.mark.allow_hosts([SILENT, GOOD])
def test_silent_addresses_alone_end_with_the_time_limit(silent_port):
    with pytest.raises(TimeoutError):
        dialing(SILENT)("dual.cafe", silent_port, 0.3)


@pytest.mark.parametrize("order", [["::1", GOOD], [GOOD, "::1"]])
def test_refusing_address_is_passed_over_at_once(order):
    with HostileServer(says()) as server:
        sock = dialing(*order)("dual.cafe", server.port, 5.0)
        peer = sock.getpeername()[0]
        sock.close()

    assert peer == GOOD


def test_addresses_alternate_between_families_and_are_four_at_most():
    dial = dialing()
    found = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"]

    assert dial._ordered("dual.cafe", found) == [
        "2001:db8::1",
        "192.0.2.1",
        "2001:db8::2",
        "192.0.2.2",
    ]


def test_address_that_worked_is_forgotten_when_the_name_loses_it():
    dial = dialing()
    dial._remember("dual.cafe", "192.0.2.9")

    assert dial._ordered("dual.cafe", ["192.0.2.1"]) == ["192.0.2.1"]


def test_ipv6_only_host_is_reached():
    with (
        HostileServer(says(), address="::1") as server,
        Door(NetworkPolicy.lab(), ["::1"]) as door,
    ):
        assert door.get(server).status == 200


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("unknown.skyhost.social", "unknown.skyhost.social."),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
    ],
)
def test_full_name_is_looked_up_as_absolute(monkeypatch, host: str, asked: str):
    names = []

    def getaddrinfo(name: str, _port: int, **_: object) -> Sequence[object]:
        names.append(name)
        return [(0, 0, 0, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert resolve_by_system(host, 443) == ["192.0.2.1"]
    assert names == [asked]


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        (NetworkPolicy(allow_any_port=True), "pds.skyhost.social."),
        (NetworkPolicy.lab(), "pds.skyhost.social"),
    ],
    ids=["production", "test network"],
)
def test_search_list_is_used_in_a_test_network_only(monkeypatch, policy, asked):
    names = []

    def getaddrinfo(name: str, _port: int, **_: object) -> Sequence[object]:
        names.append(name)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with (
        Door(policy, resolve=None) as door,
        HostileServer(says()) as server,
        pytest.raises(HostUnreachable),
    ):
        door.get(server, scheme="https", host="pds.skyhost.social")

    assert names == [asked]


def test_full_lookup_pool_is_no_failure_of_the_host():
    def resolve(_host: str, _port: int) -> Sequence[str]:
        raise ClientBusy("name lookups")

    clock = FakeClock()
    breaker = Breaker(monotonic=clock.monotonic)
    with (
        HostileServer(says()) as server,
        Door(NetworkPolicy.lab(), resolve=resolve, breaker=breaker) as door,
    ):
        for _ in range(5):
            with pytest.raises(ClientBusy) as caught:
                door.get(server)

    assert not isinstance(caught.value, HostUnreachable | HostCircuitOpen)
    assert caught.value.retry_after > 0


def test_addresses_that_worked_are_remembered_up_to_a_limit():
    dial = dialing(GOOD)
    for number in range(MAX_REMEMBERED + 2):
        dial._remember(f"host-{number}.dev", GOOD)

    assert len(dial._worked) == MAX_REMEMBERED
    assert "host-0.dev" not in dial._worked
