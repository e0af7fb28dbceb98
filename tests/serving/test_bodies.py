"""Chunked request bodies: pauses for other greenlets, and a bound for small chunks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader

from app.serving.bodies import CHUNKS_WITHOUT_PAUSE, FREE_CHUNKS, TimedBody, limited


def chunked(sizes: Iterator[int] | list[int]) -> TimedBody:
    """Return a body in chunks of these sizes; all of it has arrived."""
    wire = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in sizes)
    pieces = io.BytesIO(wire + b"0\r\n\r\n")
    unreader = IterUnreader(iter(lambda: pieces.read(8192), b""))
    request: Any = object()
    return TimedBody(Body(ChunkedReader(request, unreader)), 30.0)


def test_body_in_large_chunks_arrives_whole():
    sizes = [65_536] * 40

    assert len(chunked(sizes).read()) == sum(sizes)


def test_body_of_a_client_that_streams_lines_arrives_whole():
    assert len(chunked([40] * FREE_CHUNKS).read()) == 40 * FREE_CHUNKS


def test_small_chunks_leave_other_greenlets_their_turn():
    turns: list[None] = []

    def other() -> None:
        while True:
            turns.append(None)
            gevent.sleep(0)

    beside = gevent.spawn(other)
    gevent.sleep(0)
    try:
        chunked([1] * 5_000).read()
    finally:
        beside.kill()

    assert len(turns) >= 5_000 // CHUNKS_WITHOUT_PAUSE


def test_body_of_too_many_small_chunks_is_refused():
    body = chunked([1] * (FREE_CHUNKS + 1000))

    with pytest.raises(OSError, match="framed wrongly"):
        body.read()

    assert body.failed


@pytest.mark.parametrize("length", [1, 50])
def test_body_with_a_length_is_limited(length: int):
    body = Body(LengthReader(IterUnreader(iter(())), length))

    assert isinstance(limited(body, 30.0), TimedBody)


def test_chunked_body_is_limited():
    request: Any = object()
    body = Body(ChunkedReader(request, IterUnreader(iter(()))))

    assert isinstance(limited(body, 30.0), TimedBody)


def test_empty_body_is_read_without_a_timer():
    body = Body(LengthReader(IterUnreader(iter(())), 0))

    assert limited(body, 30.0) is body
    assert body.read() == b""
