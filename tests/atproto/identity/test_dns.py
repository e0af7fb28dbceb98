"""TXT lookups, against a real name server on this machine (requirements 1.13, 1.18)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dnslib import QTYPE, RCODE, RR, TXT
from dnslib.server import (
    BaseResolver,
    DNSHandler,
    DNSLogger,
    TCPServer,
    UDPServer,
)

from app.atproto.errors import HostUnreachable
from app.atproto.identity import dns
from app.atproto.identity.dns import DnsTxtLookup

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "_atproto.alice.skyhost.social"
DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


LONGEST_DATAGRAM = 512
PATIENCE = 30.0


class NameServer(BaseResolver):  # type: ignore[misc] # dnslib has no types
    """Answers from a table; failures first, as many as were ordered."""

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[bytes, ...]]] = {}
        self.exists: set[str] = set()
        self.failures: list[int] = []
        self.asked: list[tuple[str, str]] = []
        self.released = threading.Event()
        self.released.set()
        self._listening: list[Any] = []

    def serve(self) -> tuple[str, int]:
        """Listen on a free port, for UDP and TCP alike; return the address."""
        servers = self._pair()
        for server in servers:
            server.resolver, server.logger = self, DNSLogger(logf=lambda _: None)
            self._listening.append(server)
            threading.Thread(
                target=server.serve_forever, args=(0.01,), daemon=True
            ).start()
        return servers[0].server_address

    def _pair(self) -> tuple[Any, Any]:
        """Bind both; a port that is free for the one may be taken for the other."""
        for _ in range(20):
            first = UDPServer(("127.0.0.1", 0), DNSHandler)
            try:
                return first, TCPServer(first.server_address, DNSHandler)
            except OSError:
                first.server_close()
        raise OSError("no port is free for both")

    def stop(self) -> None:
        self.released.set()
        while self._listening:
            server = self._listening.pop()
            server.shutdown()
            server.server_close()

    def resolve(self, request: Any, handler: Any) -> Any:
        name = str(request.q.qname).rstrip(".")
        self.asked.append((handler.protocol, name))
        reply = request.reply()
        self.released.wait(PATIENCE)
        if self.failures:
            reply.header.rcode = self.failures.pop(0)
        elif name not in self.records and name not in self.exists:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.TXT:
            for strings in self.records.get(name, []):
                reply.add_answer(RR(name, QTYPE.TXT, rdata=TXT(list(strings)), ttl=1))
        if handler.protocol == "udp" and len(reply.pack()) > LONGEST_DATAGRAM:
            reply = request.reply()
            reply.header.tc = 1
        return reply


@pytest.fixture
def servers() -> Iterator[list[NameServer]]:
    running = [NameServer(), NameServer()]
    yield running
    for server in running:
        server.stop()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of a busy machine is asked once all the same."""
    monkeypatch.setattr(dns, "PER_SERVER", PATIENCE)


@pytest.fixture
def server(servers: list[NameServer]) -> NameServer:
    return servers[0]


def test_the_text_of_each_record_is_returned(server: NameServer) -> None:
    server.records[NAME] = [(f"did={DID}".encode(),), (b"v=spf1 -all",)]
    lookup = DnsTxtLookup([server.serve()])

    assert sorted(lookup(NAME, timeout=PATIENCE)) == [f"did={DID}", "v=spf1 -all"]


def test_txt_lookup_joins_the_strings_of_one_record(server: NameServer) -> None:
    """Requirement 1.13: and quotes, blanks and bytes beyond ASCII stay what they
    are.
    """
    whole = f"did={DID}".encode()
    server.records[NAME] = [(whole[:9], whole[9:20], whole[20:]), (b'a "b', b" c\xe9")]
    lookup = DnsTxtLookup([server.serve()])

    assert sorted(lookup(NAME, timeout=PATIENCE)) == ['a "b c\ufffd', f"did={DID}"]


def test_a_name_that_does_not_exist_has_no_records(server: NameServer) -> None:
    lookup = DnsTxtLookup([server.serve()])

    assert lookup(NAME, timeout=PATIENCE) == []
    assert server.asked == [("udp", NAME)]


def test_a_name_without_txt_has_no_records(server: NameServer) -> None:
    server.exists.add(NAME)
    lookup = DnsTxtLookup([server.serve()])

    assert lookup(NAME, timeout=PATIENCE) == []


def test_txt_lookup_asks_a_single_failing_server_twice(
    server: NameServer,
) -> None:
    """Requirement 1.18."""
    server.records[NAME] = [(f"did={DID}".encode(),)]
    server.failures = [RCODE.SERVFAIL]
    lookup = DnsTxtLookup([server.serve()])

    assert lookup(NAME, timeout=PATIENCE) == [f"did={DID}"]


def test_txt_lookup_asks_the_next_server_after_a_failure(
    servers: list[NameServer],
) -> None:
    """Requirement 1.18."""
    failing, working = servers
    failing.failures = [RCODE.SERVFAIL] * 9
    working.records[NAME] = [(f"did={DID}".encode(),)]
    lookup = DnsTxtLookup([failing.serve(), working.serve()])

    assert lookup(NAME, timeout=PATIENCE) == [f"did={DID}"]
    assert len(failing.asked) == 1


def test_txt_lookup_asks_the_next_server_after_silence(
    servers: list[NameServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "PER_SERVER", 0.5)
    down, working = servers
    address = down.serve()
    down.stop()
    working.records[NAME] = [(f"did={DID}".encode(),)]
    lookup = DnsTxtLookup([address, working.serve()])

    assert lookup(NAME, timeout=PATIENCE) == [f"did={DID}"]


@pytest.mark.parametrize("rcode", [RCODE.SERVFAIL, RCODE.REFUSED])
def test_txt_lookup_with_failing_servers_raises_host_unreachable(
    servers: list[NameServer], rcode: int
) -> None:
    """Requirement 1.18."""
    for server in servers:
        server.failures = [rcode] * 9
    lookup = DnsTxtLookup([server.serve() for server in servers])

    with pytest.raises(HostUnreachable) as failure:
        lookup(NAME, timeout=PATIENCE)

    assert failure.value.host == NAME
    assert [len(server.asked) for server in servers] == [1, 1]


def test_txt_lookup_with_silent_server_ends_at_the_timeout(server: NameServer) -> None:
    server.released.clear()
    lookup = DnsTxtLookup([server.serve()])

    with pytest.raises(HostUnreachable, match="DNS did not say"):
        lookup(NAME, timeout=0.2)


@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_lookup_after_the_deadline_is_not_sent(
    server: NameServer, timeout: float
) -> None:
    lookup = DnsTxtLookup([server.serve()])

    with pytest.raises(HostUnreachable):
        lookup(NAME, timeout=timeout)

    assert server.asked == []


def test_an_answer_too_long_for_udp_comes_over_tcp(server: NameServer) -> None:
    server.records[NAME] = [(f"filler {n} ".encode() + b"x" * 200,) for n in range(20)]
    server.records[NAME].append((f"did={DID}".encode(),))
    lookup = DnsTxtLookup([server.serve()])

    assert f"did={DID}" in lookup(NAME, timeout=PATIENCE)
    assert [protocol for protocol, _ in server.asked] == ["udp", "tcp"]


def test_txt_lookup_of_too_long_name_raises_host_unreachable(
    server: NameServer,
) -> None:
    lookup = DnsTxtLookup([server.serve()])

    with pytest.raises(HostUnreachable):
        lookup(".".join(["a" * 63] * 4), timeout=PATIENCE)


@pytest.mark.skipif(
    not Path("/etc/resolv.conf").exists(), reason="this machine has no resolv.conf"
)
def test_txt_lookup_uses_the_servers_of_the_system_by_default() -> None:
    with pytest.raises(HostUnreachable):
        DnsTxtLookup()(NAME, timeout=0.0)


def test_lookup_without_name_servers_raises_an_error(tmp_path: Path) -> None:
    lookup = DnsTxtLookup(resolv_conf=str(tmp_path / "none"))

    with pytest.raises(HostUnreachable):
        lookup(NAME, timeout=1.0)


@pytest.mark.parametrize(("records", "is_read"), [(120, True), (800, False)])
def test_answer_longer_than_8_kb_raises_host_unreachable(
    server: NameServer, records: int, is_read: bool
) -> None:
    """Over TCP an answer may have 64 KB, which take 0.2 s of CPU to parse."""
    server.records[NAME] = [(f"{n}".encode(),) for n in range(records)]
    lookup = DnsTxtLookup([server.serve()])

    if is_read:
        assert len(lookup(NAME, timeout=PATIENCE)) == records
    else:
        with pytest.raises(HostUnreachable):
            lookup(NAME, timeout=PATIENCE)
    assert ("tcp", NAME) in server.asked
