"""The bound of a whole request head, beside gunicorn's own for its lines."""

from __future__ import annotations

import io

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.unreader import IterUnreader

from app.serving.heads import MOST_HEAD, BoundedRequest

LINE = b"X-%04d: " + b"a" * 8_000 + b"\r\n"


def read(head: bytes, *, at_once: int = 4_096) -> tuple[BoundedRequest, io.BytesIO]:
    wire = io.BytesIO(b"GET / HTTP/1.1\r\nHost: a\r\n" + head)
    unreader = IterUnreader(iter(lambda: wire.read(at_once), b""))
    return BoundedRequest(Config(), unreader, ("127.0.0.1", 1)), wire


def test_head_below_the_limit_is_read():
    request, _ = read(b"".join(LINE % n for n in range(4)) + b"\r\n")

    assert len(request.headers) == 5


@pytest.mark.parametrize(
    "head",
    [
        b"".join(LINE % n for n in range(5)) + b"\r\n",
        b"X-1: a\r\n" * 4_000 + b"\r\n",
        b"X-1: " + b"\r" * 4 * MOST_HEAD,
    ],
    ids=["few long lines", "many short lines", "no end"],
)
def test_head_over_the_limit_raises_limit_request_headers(head: bytes):
    with pytest.raises(LimitRequestHeaders):
        read(head)


def test_head_that_arrives_at_once_has_the_same_limit():
    with pytest.raises(LimitRequestHeaders):
        read(b"".join(LINE % n for n in range(5)) + b"\r\n", at_once=1_000_000)


def test_reading_stops_at_the_limit():
    wire = io.BytesIO(b"GET / HTTP/1.1\r\n" + (LINE % 1) * 60)
    unreader = IterUnreader(iter(lambda: wire.read(4_096), b""))

    with pytest.raises(LimitRequestHeaders):
        BoundedRequest(Config(), unreader, ("127.0.0.1", 1))

    assert wire.tell() < 2 * MOST_HEAD
