"""How the verifier fetches a document: status, redirects, size, time, broken ones."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from typing import TYPE_CHECKING

import pytest

from latchkey_verify.fetch import MAX_BYTES, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator


RAW = {
    "/garbage": b"garbage\r\n\r\n",
    "/nothing": b"",
    "/chunk-cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "/long-header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    "/many-headers": b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",
    "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"1\r\nx\r\n" * 4
    + b"0\r\n\r\n",
}
"""Answers as they are on the wire."""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path in RAW:
            self.wfile.write(RAW[self.path])
            return
        status = int(self.path.split("/")[1])
        body = b"x" * int(self.path.split("/")[2])
        self.send_response(status)
        self.send_header("Location", "/200/1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


def test_fetch_returns_the_body_of_200(origin):
    assert fetch(f"{origin}/200/3") == b"xxx"


@pytest.mark.parametrize("status", [204, 206, 301, 302, 307, 400, 404, 500, 503])
def test_fetch_with_another_status_raises_and_follows_no_redirect(origin, status):
    with pytest.raises(OSError, match=str(status)):
        fetch(f"{origin}/{status}/3")


def test_fetch_of_a_document_that_is_too_large_raises(origin):
    with pytest.raises(OSError, match="larger"):
        fetch(f"{origin}/200/{MAX_BYTES + 1}")


@pytest.mark.parametrize(
    "path", ["/garbage", "/nothing", "/chunk-cut", "/long-header", "/many-headers"]
)
def test_fetch_of_a_broken_answer_raises_oserror(origin, path):
    with pytest.raises(OSError):  # noqa: PT011 # which one depends on the answer
        fetch(f"{origin}{path}")


def test_fetch_of_a_body_that_comes_within_five_seconds_returns_it(origin):
    times = count(0.0, 1.0)  # each of the four bytes arrives by itself

    assert fetch(f"{origin}/chunks", clock=lambda: next(times)) == b"xxxx"


def test_fetch_of_a_body_that_comes_slowly_raises(origin):
    times = count(0.0, 2.0)

    with pytest.raises(OSError, match="5 seconds"):
        fetch(f"{origin}/chunks", clock=lambda: next(times))


def test_fetch_where_no_server_listens_raises():
    with pytest.raises(OSError):  # noqa: PT011 # which one depends on the system
        fetch("http://127.0.0.1:1/")
