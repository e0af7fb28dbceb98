"""Connections: where they go, whom they trust, how long they wait, and when they serve.

Requirements 9.2, 9.3 and 6.8, against real servers on loopback.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Barrier, Event
from types import SimpleNamespace

import pytest

from app.atproto.errors import (
    ClientBusy,
    HostUnknown,
    HostUnreachable,
    ServerInvalid,
    UnsafeURL,
)
from app.atproto.http.client import NetworkPolicy
from app.atproto.http.dialer import Dialer, TimedResolver
from app.atproto.http.exceptions import ConnectFailed
from app.atproto.http.pool import CONNECTIONS_PER_HOST, Pools
from app.atproto.http.sockets import BudgetSocket
from tests.atproto.doors import HOST, Door
from tests.fakes.certificates import Authority
from tests.fakes.hostile import (
    HostileServer,
    SilentServer,
    drips,
    floods,
    hangs_up,
    head,
    says,
    sends,
)
from tests.fakes.threads import no_new_threads

LAB = NetworkPolicy.lab()


@pytest.fixture
def door():
    with Door(LAB) as door:
        yield door


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


# --- addresses --------------------------------------------------------------------


class LoopbackIsPublic(NetworkPolicy):
    """Takes 127.0.0.1 for the internet; everything else is judged as ever."""

    def check_address(self, address, *, host=""):
        if address != "127.0.0.1":
            NetworkPolicy().check_address(address, host=host)


REBINDING = LoopbackIsPublic(allow_http=True, allow_any_port=True, allow_private=True)


def test_rebound_name_is_refused():
    with (
        HostileServer(says(close=True)) as public,
        Door(REBINDING, ["127.0.0.1"], ["::1"]) as door,
    ):
        door.get(public)
        with pytest.raises(UnsafeURL, match="::1"):
            door.get(public)

        assert public.connections == 1


def test_a_name_is_resolved_once_for_a_connection():
    """Were it resolved again to connect, the second answer would be contacted."""
    with (
        HostileServer(says(b"inside"), address="::1") as inside,
        Door(LoopbackIsPublic.lab(), ["127.0.0.1"], ["::1"]) as door,
        pytest.raises(HostUnreachable, match="refused"),
    ):
        door.get(inside)

    assert door.resolve.asked == [HOST]
    assert inside.connections == 0


def test_the_next_address_is_tried_when_the_first_refuses():
    with HostileServer(says()) as server, Door(LAB, ["::1", "127.0.0.1"]) as door:
        assert door.get(server).status == 200


def test_ipv6_is_spoken():
    with HostileServer(says(), address="::1") as server, Door(LAB, ["::1"]) as door:
        assert door.get(server).status == 200


def test_name_without_address_raises_host_unknown():
    with Door(LAB, []) as door, pytest.raises(HostUnknown):
        door.get(nowhere())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (socket.EAI_NONAME, HostUnknown),
        (socket.EAI_NODATA, HostUnknown),
        (socket.EAI_AGAIN, HostUnreachable),
        (socket.EAI_FAIL, HostUnreachable),
    ],
)
def test_missing_name_is_host_unknown_and_dns_failure_is_unreachable(code, error):
    def resolve(host, port):
        raise socket.gaierror(code, "as getaddrinfo says it")

    with Door(LAB, resolve=resolve) as door, pytest.raises(HostUnreachable) as caught:
        door.get(nowhere())

    assert type(caught.value) is error
    assert not caught.value.sent


def test_endless_lookup_ends_with_the_deadline():
    given_up = Event()
    try:
        with (
            Door(LAB, resolve=lambda *_: given_up.wait(10)) as door,
            pytest.raises(HostUnreachable, match="in time"),
        ):
            door.get(nowhere(), seconds=0.2)
    finally:
        given_up.set()


def test_lookup_time_counts_towards_the_deadline():
    def resolve(host, port):
        time.sleep(0.4)
        return ["127.0.0.1"]

    def answer(sock):
        time.sleep(0.4)
        says(b"")(sock)

    with (
        HostileServer(answer) as server,
        Door(LAB, resolve=resolve) as door,
        pytest.raises(HostUnreachable, match="in time"),
    ):
        door.get(server, seconds=0.6)


def test_lookup_over_the_limit_raises_client_busy():
    given_up = Event()
    lookup = TimedResolver(lambda *_: given_up.wait(10), at_once=1)
    try:
        with pytest.raises(TimeoutError):
            lookup(HOST, 443, timeout=0.1)
        with pytest.raises(ClientBusy, match="too many"):
            lookup(HOST, 443, timeout=0.1)
    finally:
        given_up.set()


def test_a_lookup_that_ends_makes_room_for_the_next():
    lookup = TimedResolver(lambda *_: ["127.0.0.1"], at_once=1)

    for _ in range(20):
        assert wait_for(lookup) == ["127.0.0.1"]


def test_lookup_without_a_thread_takes_no_slot():
    lookup = TimedResolver(lambda *_: ["127.0.0.1"], at_once=1)
    with no_new_threads(), pytest.raises(ClientBusy):
        lookup(HOST, 443, timeout=5)

    assert lookup(HOST, 443, timeout=5) == ["127.0.0.1"]


def wait_for(lookup):
    """Look up; a slot is free a moment after the answer is there."""
    for _ in range(200):
        with suppress(ClientBusy):
            return lookup(HOST, 443, timeout=5)
        Event().wait(0.01)
    raise AssertionError("no slot is free")


def test_unexpected_error_of_the_resolver_propagates():
    def resolve(host, port):
        raise ZeroDivisionError

    with Door(LAB, resolve=resolve) as door, pytest.raises(ZeroDivisionError):
        door.get(nowhere())


def test_the_system_resolves_loopback():
    with HostileServer(says()) as server, Door(LAB, resolve=None) as door:
        assert door.get(server, host="127.0.0.1").status == 200


def nowhere():
    """Return a server that has closed."""
    with HostileServer(says()) as server:
        pass
    return server


# --- budgets ------------------------------------------------------------------------


@pytest.fixture
def dripped():
    """A budget socket that gets one byte after the other."""
    with (
        SilentServer(drips(b"xx", pause=0.02)) as server,
        BudgetSocket(socket.AF_INET) as sock,
    ):
        sock.settimeout(5)
        sock.connect(("127.0.0.1", server.port))
        yield sock


@pytest.mark.parametrize("name", ["recv", "recv_into", "sendall"])
def test_socket_after_its_budget_raises_timeout_error(dripped, name):
    dripped.recv(1)  # there is more to read
    dripped.settimeout(0.01)
    time.sleep(0.02)

    with pytest.raises(TimeoutError):
        getattr(dripped, name)(1 if name == "recv" else bytearray(1))


def test_a_budget_does_not_grow_with_what_arrives(dripped):
    dripped.settimeout(0.2)

    def receive_all():
        while dripped.recv(1):
            pass

    with pytest.raises(TimeoutError):
        receive_all()


def test_a_new_budget_counts_from_now(dripped):
    dripped.settimeout(0.01)
    time.sleep(0.02)
    dripped.settimeout(5)

    assert dripped.recv(1) == b"x"


# --- TLS --------------------------------------------------------------------------


def trusting(authority, **options):
    return Door(LAB, ca_bundle=str(authority.bundle), **options)


def test_a_trusted_certificate_with_the_right_name_is_accepted(authority):
    tls = authority.context_for(HOST)
    with HostileServer(says(), tls=tls) as server, trusting(authority) as door:
        assert door.get(server, scheme="https").status == 200

    assert server.server_names == [HOST]
    assert server.requests[0].headers["Host"] == f"{HOST}:{server.port}"


def test_a_certificate_for_another_name_is_refused(authority):
    tls = authority.context_for("evil.host.dev")
    with (
        HostileServer(says(), tls=tls) as server,
        trusting(authority) as door,
        pytest.raises(HostUnreachable, match="certificate is refused") as caught,
    ):
        door.post(server, scheme="https")

    assert not caught.value.sent
    assert server.requests == []


def test_certificate_of_an_unknown_authority_is_refused(authority, tmp_path):
    tls = Authority(tmp_path, "Unknown").context_for(HOST)
    with (
        HostileServer(says(), tls=tls) as server,
        trusting(authority) as door,
        pytest.raises(HostUnreachable, match="certificate is refused"),
    ):
        door.get(server, scheme="https")

    assert server.requests == []


def test_certificates_of_the_environment_are_ignored(authority, tmp_path, monkeypatch):
    unknown = Authority(tmp_path, "Unknown")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(unknown.bundle))
    tls = unknown.context_for(HOST)
    with (
        HostileServer(says(), tls=tls) as server,
        trusting(authority) as door,
        pytest.raises(HostUnreachable, match="certificate is refused"),
    ):
        door.get(server, scheme="https")


def test_a_private_authority_is_not_trusted_by_default(authority):
    tls = authority.context_for(HOST)
    with (
        HostileServer(says(), tls=tls) as server,
        Door(LAB) as door,
        pytest.raises(HostUnreachable, match="certificate is refused"),
    ):
        door.get(server, scheme="https")


def test_a_context_that_verifies_no_name_is_not_used(authority):
    context = ssl.create_default_context(cafile=str(authority.bundle))
    context.check_hostname = False
    dial = Dialer(lambda *_: ["127.0.0.1"], lambda *_: None)
    with HostileServer(says(), tls=authority.context_for(HOST)) as server:
        pool = Pools(dial, context).connection_from_host(HOST, server.port, "https")
        with pool, pytest.raises(ConnectFailed) as caught:
            pool.urlopen("GET", "/", timeout=5.0)

    assert "verified" in str(caught.value.__cause__)

    assert server.requests == []


def test_two_names_at_one_address_do_not_share_a_connection(authority):
    tls = authority.context_for(HOST, "other.host.dev")
    with HostileServer(says(), tls=tls) as server, trusting(authority) as door:
        door.get(server, scheme="https")
        door.get(server, scheme="https", host="other.host.dev")

    assert server.server_names == [HOST, "other.host.dev"]


def test_plain_http_at_a_tls_port_is_refused(authority):
    def answer(sock):
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 400 This is plain HTTP\r\n\r\n")

    with (
        SilentServer(answer) as server,
        trusting(authority) as door,
        pytest.raises(HostUnreachable, match="TLS failed") as caught,
    ):
        door.get(server, scheme="https")

    assert not caught.value.sent


def test_a_bundle_that_requests_would_look_for_is_not_needed(authority, monkeypatch):
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", "/nowhere.pem")
    tls = authority.context_for(HOST)
    with HostileServer(says(), tls=tls) as server, trusting(authority) as door:
        assert door.get(server, scheme="https").status == 200


def test_body_in_one_byte_tls_records_is_refused(authority):
    flood = floods(head(Content_Length="9999999"), b"x", megabytes=1)
    with (
        HostileServer(flood, tls=authority.context_for(HOST)) as server,
        trusting(authority) as door,
        pytest.raises(ServerInvalid, match="small pieces"),
    ):
        door.get(server, scheme="https", limit=1_000_000)

    assert not flood.is_complete


HANDSHAKE = b"\x16\x03\x03\x40\x00"  # the beginning of a long handshake record


def test_slow_handshake_ends_with_the_deadline(authority):
    with (
        SilentServer(drips(HANDSHAKE)) as server,
        trusting(authority) as door,
        pytest.raises(HostUnreachable, match="in time") as caught,
    ):
        door.get(server, scheme="https", seconds=0.3)

    assert not caught.value.sent


def test_slow_response_in_tls_ends_with_the_deadline(authority):
    tls = authority.context_for(HOST)
    with (
        HostileServer(drips(head()), tls=tls) as server,
        trusting(authority) as door,
        pytest.raises(HostUnreachable, match="in time") as caught,
    ):
        door.get(server, scheme="https", seconds=0.5)

    assert caught.value.sent


# --- connections that serve again (requirement 6.8) -----------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_connection_serves_many_requests(authority, scheme):
    tls = authority.context_for(HOST) if scheme == "https" else None
    with HostileServer(says(), tls=tls) as server, trusting(authority) as door:
        for _ in range(5):
            door.get(server, scheme=scheme)
            door.post(server, scheme=scheme)

    assert server.connections == 1
    assert door.resolve.asked == [HOST]


@pytest.mark.parametrize("status", [100, 102, 103])
def test_answer_after_an_interim_one_belongs_to_its_request(door, status):
    """RFC 9110 §15.2: else each answer would go to the next request."""
    announced = b"HTTP/1.1 %d Soon\r\nLink: </x>\r\n\r\n" % status

    def announces(body):
        def act(sock):
            sock.sendall(announced + announced)
            return says(body)(sock)

        return act

    with HostileServer(announces(b"1"), announces(b"2")) as server:
        answers = [door.get(server) for _ in range(2)]

    assert [(one.status, one.body) for one in answers] == [(200, b"1"), (200, b"2")]
    assert server.connections == 1


def test_partly_read_connection_is_not_used_again(door):
    with HostileServer(says(status=302, Location="/x"), says(b"clean")) as server:
        door.get(server)

        assert door.get(server).body == b"clean"


def test_unsolicited_bytes_do_not_answer_the_next_request(door):
    both = head(Content_Length="2") + b"{}" + head(Content_Length="4") + b"evil"
    with HostileServer(lambda sock: sock.sendall(both), says(b"true")) as server:
        door.get(server)

        assert door.get(server).body == b"true"


def test_a_connection_that_the_host_has_closed_is_not_used(door):
    with HostileServer(says(close=True)) as server:
        door.post(server)
        server.settle()
        door.post(server)

    assert len(server.requests) == 2
    assert server.connections == 2


def test_a_get_is_sent_again_when_its_kept_connection_breaks(door):
    with HostileServer(says(), hangs_up, says(b"again")) as server:
        door.get(server)

        assert door.get(server).body == b"again"
    assert server.connections == 2


def test_a_get_is_sent_again_only_once(door):
    with HostileServer(says(), hangs_up) as server:
        door.get(server)
        with pytest.raises(HostUnreachable):
            door.get(server)

    assert len(server.requests) == 3


def test_a_get_is_sent_again_on_a_new_connection(door):
    both_are_here = Barrier(2)

    def answer(sock):
        both_are_here.wait(5)
        says()(sock)

    with (
        HostileServer(answer, answer, hangs_up) as server,
        ThreadPoolExecutor(2) as threads,
    ):
        list(threads.map(lambda _: door.get(server), range(2)))
        with pytest.raises(HostUnreachable):
            door.get(server)

    assert len(server.requests) == 4
    assert server.connections == 3  # two kept, and not the second one of them again


def test_a_get_on_a_new_connection_is_not_sent_again(door):
    with HostileServer(hangs_up) as server, pytest.raises(HostUnreachable):
        door.get(server)

    assert len(server.requests) == 1


def test_a_post_is_never_sent_again(door):
    with HostileServer(says(), hangs_up) as server:
        door.post(server)
        with pytest.raises(HostUnreachable) as caught:
            door.post(server)

    assert caught.value.sent
    assert len(server.requests) == 2


def test_unsent_post_reports_that_nothing_was_sent(door):
    with pytest.raises(HostUnreachable, match="refused") as caught:
        door.post(nowhere())

    assert not caught.value.sent


def test_post_without_response_reports_that_it_was_sent(door):
    with HostileServer(sends([])) as server, pytest.raises(HostUnreachable) as caught:
        door.post(server)

    assert caught.value.sent


def test_connection_is_dropped_before_the_host_closes_it(door):
    with HostileServer(says(Keep_Alive="timeout=1")) as server:
        door.post(server)
        door.post(server)

    assert server.connections == 2


def test_a_connection_that_the_host_keeps_for_long_serves_again(door):
    with HostileServer(says(Keep_Alive="timeout=30, max=100")) as server:
        door.post(server)
        door.post(server)

    assert server.connections == 1


# --- gevent -----------------------------------------------------------------------

GREEN = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
sys.path.insert(0, {root!r})
from app.atproto.errors import HostUnreachable
from app.atproto.http.client import Deadline, NetworkPolicy, SafeHTTP
http = SafeHTTP(
    policy=NetworkPolicy.lab(), user_agent="green", ca_bundle={bundle!r},
    resolve=lambda host, port: ["127.0.0.1"],
)
ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.01)
gevent.spawn(tick)
for url in {urls!r}:
    try:
        http.request("GET", url, deadline=Deadline.after(1.0), limit=10)
        print("answered")
    except HostUnreachable as error:
        print(error.reason if len(ticks) > 2 else "everything else stood still")
    ticks.clear()
print(http.request("GET", {honest!r}, deadline=Deadline.after(30), limit=10).body)
http.close()
"""


@pytest.mark.process
def test_time_limits_hold_under_gevent(authority):
    tls = authority.context_for(HOST)
    with (
        SilentServer(drips(HANDSHAKE)) as handshake,
        HostileServer(drips(b"HTTP/1.1 200 Reason\r\nX: "), tls=tls) as header,
        HostileServer(says(b"honest"), tls=authority.context_for(HOST)) as honest,
    ):
        script = GREEN.format(
            root=str(Path(__file__).parents[3]),
            bundle=str(authority.bundle),
            urls=[f"https://{HOST}:{server.port}/" for server in (handshake, header)],
            honest=f"https://{HOST}:{honest.port}/",
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.stdout.splitlines() == ["no answer in time"] * 2 + ["b'honest'"], done


def test_connections_beyond_the_limit_of_a_host_are_closed_after_use():
    pool = Pools(lambda *_: None, ssl.create_default_context()).pool_of(
        "https://a.dev/"
    )
    connections = [SimpleNamespace(closed=[]) for _ in range(CONNECTIONS_PER_HOST + 1)]
    for one in connections:
        one.close = partial(one.closed.append, True)
        pool._put_conn(one)

    assert [bool(one.closed) for one in connections].count(True) == 1
    assert pool.pool.qsize() == CONNECTIONS_PER_HOST
