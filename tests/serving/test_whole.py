"""Whole answers are sent as gunicorn would, from the environment it would make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.http.wsgi import Response, create
from gunicorn.util import http_date

from app.serving.whole import HeadInvalid, WholeAnswers

PEER, SERVER = ("192.0.2.7", 50_000), ("127.0.0.1", 8000)
UNIX = b""
"""The address of a peer on a unix socket."""

NOW = 1_700_000_000.0

ASKED = b"GET /auth/verify?group=staff HTTP/1.1\r\nHost: auth.test\r\n\r\n"
FULL = (
    b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: auth.test:8080\r\n"
    b"Cookie: a=1\r\nCookie: b=2\r\nX-Forwarded-For: 192.0.2.1\r\n"
    b"X-Forwarded-For: 192.0.2.2\r\nContent-Length: 0\r\nContent-Type: text/plain\r\n"
    b"Accept: caf\xe9\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
)
BARE = b"GET /auth/session HTTP/1.1\r\n\r\n"


def whole_answers(app: Any) -> WholeAnswers:
    paths = ("/auth/verify", "/auth/session", "/.well-known/jwks.json")
    return WholeAnswers(app, paths=paths, cfg=Config(), clock=lambda: NOW)


class FakeSocket:
    """Takes what is sent, at most so many bytes at once."""

    def __init__(self, at_once: int = 1_000_000) -> None:
        self.sent = b""
        self._at_once = at_once

    def send(self, data: bytes) -> int:
        part = data[: self._at_once]
        self.sent += part
        return len(part)

    def sendall(self, data: bytes) -> None:
        self.sent += data


class Answered:
    """The answer of an application: parts, and whether they are all of it."""

    def __init__(self, *parts: bytes, whole: bool = True) -> None:
        self.whole = b"".join(parts) if whole else None
        self.closed = False
        self._parts = parts

    def __iter__(self) -> Any:
        return iter(self._parts)

    def close(self) -> None:
        self.closed = True


def parsed(raw: bytes) -> Any:
    # gunicorn discards what is left of the body of the request before.
    request = Request(Config(), IterUnreader(iter([raw])), PEER)
    request.proxy_protocol_info = {}
    return request


def served(
    answer: Iterable[bytes],
    *headers: tuple[str, str],
    status: str = "200 OK",
    is_last: bool = False,
    at_once: int = 1_000_000,
) -> tuple[bytes, bool]:
    """Return what is sent for an answer, and whether the connection is closed."""

    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return answer

    sock = FakeSocket(at_once)
    whole = whole_answers(app)
    closes = whole.serve(parsed(ASKED), sock, peer=PEER, server=SERVER, is_last=is_last)
    return sock.sent, closes


def of_gunicorn(
    *parts: bytes, headers: Iterable[tuple[str, str]], status: str, is_last: bool
) -> bytes:
    sock = FakeSocket()
    response = Response(parsed(ASKED), sock, Config())
    if is_last:
        response.force_close()
    response.start_response(status, list(headers))
    for part in parts:
        response.write(part)
    response.close()
    return sock.sent


@pytest.mark.parametrize("raw", [ASKED, FULL, BARE], ids=["usual", "full", "bare"])
@pytest.mark.parametrize(
    ("peer", "server"),
    [(PEER, SERVER), (UNIX, "/run/latchkey/http.sock")],
    ids=["TCP", "unix socket"],
)
def test_environment_is_the_one_that_gunicorn_makes(raw: bytes, peer, server):
    request, sock = parsed(raw), FakeSocket()
    theirs = create(request, sock, peer, server, Config())[1]
    theirs["wsgi.multithread"] = True  # as its gevent worker says

    ours = whole_answers(lambda *_: []).environ_of(
        request, sock, peer=peer, server=server
    )

    for environ in (ours, theirs):
        environ.pop("wsgi.errors")  # an object of each
    theirs.pop("wsgi.early_hints")
    assert ours == theirs


@pytest.mark.parametrize("is_last", [False, True], ids=["kept open", "closed"])
@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        ("200 OK", b"", [("Content-Length", "0"), ("X-Auth-Request-User", "alice")]),
        ("200 OK", b"{}\n", [("Content-Length", "3"), ("ETag", '"1"')]),
        ("304 NOT MODIFIED", b"", [("ETag", '"1"')]),
    ],
)
def test_whole_answer_is_sent_as_gunicorn_sends_it(status, body, headers, is_last):
    sent, closes = served(
        Answered(body), *headers, status=status, is_last=is_last, at_once=100
    )

    expected = of_gunicorn(body, headers=headers, status=status, is_last=is_last)
    today = next(one for one in expected.split(b"\r\n") if one.startswith(b"Date: "))
    assert sent == expected.replace(today, b"Date: " + http_date(NOW).encode())
    assert closes == is_last


@pytest.mark.parametrize("is_last", [False, True], ids=["kept open", "closed"])
def test_answer_in_parts_is_written_by_gunicorn(is_last):
    answer = Answered(b"one", b"two", whole=False)

    sent, closes = served(answer, ("Content-Type", "text/plain"), is_last=is_last)

    assert b"Transfer-Encoding: chunked" in sent
    assert sent.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert (b"Connection: close" in sent) == closes == is_last
    assert answer.closed


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x85", "\x0b"])
def test_line_break_in_a_header_is_not_sent(end):
    answer = Answered(b"")

    with pytest.raises(HeadInvalid):
        served(answer, ("X-Auth-Request-User", f"alice{end}Set-Cookie: a=1"))

    assert answer.closed


@pytest.mark.parametrize(
    "raw",
    [
        ASKED.replace(b"GET", b"POST"),
        ASKED.replace(b"GET", b"HEAD"),
        ASKED.replace(b"/auth/verify", b"/auth/verify/"),
        ASKED.replace(b"/auth/verify", b"/auth/%76erify"),
        ASKED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ASKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\na"),
        ASKED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ],
    ids=lambda raw: raw.decode().replace("\r\n", " ").strip(),
)
def test_other_requests_are_left_to_gunicorn(raw: bytes):
    assert not whole_answers(lambda *_: []).serves(parsed(raw))


@pytest.mark.parametrize("raw", [ASKED, FULL, BARE], ids=["usual", "full", "bare"])
def test_requests_without_a_body_are_served(raw: bytes):
    assert whole_answers(lambda *_: []).serves(parsed(raw))
