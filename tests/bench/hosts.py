"""The world outside as a process of its own, so that its CPU time is not ours.

All of its hosts answer behind one TLS port and one DNS port on loopback, each answer
late by a given number of milliseconds. Orders come through a pipe.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dnslib import QTYPE, RCODE, RR, TXT
from dnslib.server import BaseResolver, DNSLogger, DNSServer
from requests.structures import CaseInsensitiveDict
from werkzeug.wrappers import Response

from app.atproto.errors import HostUnknown
from tests.fakes.authorization_server import FakeAuthorizationServer
from tests.fakes.certificates import Authority
from tests.fakes.clock import FakeClock
from tests.fakes.consent import ConsentPage
from tests.fakes.network import Answer, Sent
from tests.fakes.world import PLC, Host, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

HANDLES = [f"*.{name}" for name in ("skyhost.social", "people.cafe")]
NAMES = [
    "as.skyhost.social",
    "pds.skyhost.social",
    "rosies.garden",
    PLC,
    "auth.platform.cafe",
    *HANDLES,
]


@dataclass(frozen=True, slots=True)
class Opened:
    """Where the world listens."""

    tls_port: int
    dns_port: int
    bundle: Path


class Hosts:
    """The world, seen from the process that measures."""

    def __init__(self, pipe: Connection, opened: Opened) -> None:
        self._pipe = pipe
        self.opened = opened

    def __call__(self, order: str, **details: Any) -> Any:
        """Give an order and wait until it is done."""
        self._pipe.send((order, details))
        return self._pipe.recv()


@contextmanager
def open_hosts(directory: Path, metadata: dict[str, Any]) -> Iterator[Hosts]:
    """Start the world; `metadata` is what authorization servers fetch of us."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, directory, metadata))
    process.start()
    try:
        yield Hosts(ours, ours.recv())
    finally:
        process.terminate()
        process.join(10)


class _Everybody(ThreadingHTTPServer):
    """Every host of the world, by the Host header, behind one TLS port."""

    daemon_threads = True

    def __init__(self, world: World, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.world = world
        self.context = context
        self.pace = {"request": 0.0, "connection": 0.0}

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Take up a connection, in its own thread."""
        time.sleep(self.pace["connection"])
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with self.context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)
        except OSError:
            return  # the client has gone: a lookup that lost its race


class _Handler(BaseHTTPRequestHandler):
    """Keeps connections open, as real hosts do."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Everybody

    def answer(self) -> None:
        """Ask the world, late."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"https://{self.headers['Host']}{self.path}"
        headers = CaseInsensitiveDict(self.headers.items())
        time.sleep(self.server.pace["request"])
        try:
            sent = Sent(self.command, url, headers, body)
            answer = self.server.world.network.deliver(sent, timeout=10)
        except HostUnknown:
            answer = Answer(404)
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in {"content-length", "server", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = answer  # noqa: N815 - what http.server calls them

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Names(BaseResolver):
    """TXT records of the world; the other names do not exist."""

    def __init__(self, everybody: _Everybody) -> None:
        self.everybody = everybody

    def resolve(self, request: Any, handler: Any) -> Any:
        time.sleep(self.everybody.pace["request"])
        name = str(request.q.qname).rstrip(".")
        records = self.everybody.world.dns.records.get(name, [])
        reply = request.reply()
        for record in records:
            reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(str(record))))
        if not records:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


def _serve(pipe: Connection, directory: Path, metadata: dict[str, Any]) -> None:
    world = World(_RealClock())
    world.network.serve("auth.platform.cafe", _static(metadata))
    for host in (world.skyhost, world.garden):
        _suit_the_reference_client(host.server)
        # As the reference PDS: calls at the same time may have the same nonce.
        host.pds.proofs.nonces.rotates_every_answer = False
    authority = Authority(directory)
    everybody = _Everybody(world, authority.context_for(*NAMES))
    threading.Thread(target=everybody.serve_forever, daemon=True).start()
    quiet = DNSLogger(log="", prefix=False, logf=lambda _line: None)
    dns = DNSServer(_Names(everybody), address="127.0.0.1", port=0, logger=quiet)
    dns.start_thread()
    dns_port = dns.server.server_address[1]
    pipe.send(Opened(everybody.server_port, dns_port, authority.bundle))
    orders = _Orders(everybody)
    while True:
        order, details = pipe.recv()
        pipe.send(getattr(orders, order)(**details))


class _Orders:
    """What the measuring process may order."""

    def __init__(self, everybody: _Everybody) -> None:
        self._everybody = everybody
        self._world = everybody.world

    def pace(self, *, request: float, connection: float) -> None:
        """Set how late answers and new connections are, in seconds."""
        self._everybody.pace.update(request=request, connection=connection)

    def settle(self, *, handle: str, by: str, host: str = "skyhost") -> str:
        """Create an account, found by `txt` or by `https`.

        `host` is `skyhost`, whose authorization server is another host than the PDS, or
        `garden`, where both are one.
        """
        home: Host = getattr(self._world, host)
        person = self._world.settle(handle, home, txt=by == "txt", https=by == "https")
        return person.did

    def approve(self, *, url: str) -> str:
        """Approve what an authorization URL asks; return the callback URL."""
        page = self._world.servers[urlsplit(url).netloc].open(url, device="bench")
        if not isinstance(page, ConsentPage):
            raise TypeError(f"no page to approve on: {page}")
        return page.approves().url


class _RealClock(FakeClock):
    """The hosts live in real time."""

    def __call__(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def _suit_the_reference_client(server: FakeAuthorizationServer) -> None:
    """Be content with short proof ids, and offer no ES256K, which it would choose."""
    server.lies.metadata["dpop_signing_alg_values_supported"] = ["ES256"]
    server.proofs.shortest_jti = 1


def _static(document: dict[str, Any]) -> Any:
    return Response(json.dumps(document), content_type="application/json")
