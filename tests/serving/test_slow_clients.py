"""Clients that send or receive too slowly, under gunicorn as it is shipped."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving.apps import People
from tests.serving.server import LocalConnection, Server, serving

pytestmark = pytest.mark.process

IMPATIENT = {"GUNICORN_CMD_ARGS": "--timeout 2"}
FORM = (
    b"POST /auth/login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
    b"Origin: http://127.0.0.1:8000\r\nAccept: application/json\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("slow")
    people = People(directory)
    with serving("wsgi:app", directory, **people.environment, **IMPATIENT) as server:
        yield server
    people.database.close()


def connected(server: Server) -> socket.socket:
    connection = LocalConnection(server.path)
    connection.connect()
    return connection.sock


def head_of_answer(raw: socket.socket) -> bytes:
    return raw.recv(4096).partition(b"\r\n")[0]


def test_body_that_stalls_ends_with_a_timeout(server: Server):
    with closing(connected(server)) as raw:
        raw.sendall(FORM + b"Content-Length: 20\r\n\r\nidentifier")

        assert head_of_answer(raw) == b"HTTP/1.1 400 BAD REQUEST"


def test_slow_body_has_the_same_time_limit_as_a_stalled_one(server: Server):
    with closing(connected(server)) as raw:
        raw.sendall(FORM + b"Content-Length: 1000\r\n\r\n")
        raw.settimeout(0.2)
        for _ in range(100):
            raw.sendall(b"x")
            try:
                answer = head_of_answer(raw)
            except TimeoutError:
                continue
            break

        assert answer == b"HTTP/1.1 400 BAD REQUEST"


@pytest.mark.parametrize("chunk", [b"ZZ\r\n", b"-1\r\n", b"5\r\nabcdeXX", b"5\r\nab"])
def test_wrongly_framed_body_returns_400(server: Server, chunk: bytes):
    answer = server.send(FORM + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)

    assert answer.startswith(b"HTTP/1.1 400 BAD REQUEST")


@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX",
        b"Content-Length: 50\r\n\r\nidentifier",
    ],
)
def test_connection_is_closed_after_a_failed_body(server: Server, body: bytes):
    """RFC 9112 section 11.2: the body's end is unknown, the rest may be smuggled."""
    with closing(connected(server)) as raw:
        raw.sendall(FORM + body)
        while (answer := raw.recv(65_536)).startswith(b"HTTP/1.1 100"):
            pass
        try:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n")
            rest = b"".join(iter(lambda: raw.recv(65_536), b""))
        except ConnectionError:  # closed already, which is as good
            rest = b""

    assert answer.startswith(b"HTTP/1.1 400 BAD REQUEST")
    assert b"HTTP/1.1" not in rest


def test_head_over_32_kb_returns_431(server: Server):
    lines = b"".join(b"X-%d: %b\r\n" % (n, b"a" * 8_000) for n in range(5))
    with closing(connected(server)) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n" + lines)
        raw.sendall(b"\r\n")

        assert head_of_answer(raw).startswith(b"HTTP/1.1 431 ")


def test_client_that_reads_no_answer_is_disconnected(tmp_path: Path):
    with serving("tests.serving.flood:app", tmp_path, **IMPATIENT) as server:
        with closing(connected(server)) as raw:
            raw.sendall(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
            assert head_of_answer(raw) == b"HTTP/1.1 200 OK"
            for _ in range(200):
                if (left := server.get("/under-way")) == "0":
                    break
                time.sleep(0.1)

        assert left == "0"
