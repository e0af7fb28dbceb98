"""Bodies too long for memory: from a file to a host, and from a host into a file."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from itertools import repeat
from tempfile import TemporaryFile

import pytest

from app.atproto.errors import HostUnreachable, ResponseTooLarge
from app.atproto.http.client import NetworkPolicy
from app.atproto.http.types import ERROR_LIMIT, Upload
from tests.atproto.doors import Door
from tests.fakes.hostile import (
    HostileServer,
    drips,
    floods,
    hangs_up,
    head,
    says,
    sends,
)

LONG = 8_000_000


@pytest.fixture
def door():
    with Door(NetworkPolicy.lab()) as door:
        yield door


def test_upload_is_sent_from_its_start_each_time(door):
    with TemporaryFile() as file, HostileServer(says()) as server:
        file.write(bytes(range(256)) * 4_000)
        upload = Upload(file, file.tell())
        for _ in range(2):
            door.post(server, body=upload)

    for request in server.requests:
        assert request.body == bytes(range(256)) * 4_000
        assert request.headers["Content-Length"] == "1024000"


def test_the_body_of_a_success_goes_into_the_sink(door):
    sink = BytesIO()
    with HostileServer(says(b"x" * 5_000)) as server:
        response = door.get(server, sink=sink)

    assert (response.status, response.body, sink.getvalue()) == (200, b"", b"x" * 5_000)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_error_body_is_in_memory_and_limited(door, status):
    sink = BytesIO()
    long = b"x" * (ERROR_LIMIT + 1)
    with HostileServer(says(b"{}", status=status), says(long, status=status)) as server:
        response = door.get(server, sink=sink, limit=LONG)
        with pytest.raises(ResponseTooLarge):
            door.get(server, sink=sink, limit=LONG)

    assert (response.body, sink.getvalue()) == (b"{}", b"")


def test_long_response_into_a_sink_uses_little_memory(door):
    chunks = repeat(b"x" * 10_000, LONG // 10_000)
    start = head(Content_Length=str(LONG))
    with HostileServer(sends([start, *chunks])) as server, TemporaryFile() as sink:
        tracemalloc.start()
        door.get(server, sink=sink, limit=LONG, seconds=20.0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert sink.tell() == LONG
    assert peak < LONG / 4


def test_endless_response_into_a_sink_ends_at_the_limit(door):
    flood = floods(head(), b"x" * 10_000, megabytes=40)
    with (
        HostileServer(flood) as server,
        TemporaryFile() as sink,
        pytest.raises(ResponseTooLarge),
    ):
        door.get(server, sink=sink, limit=5_000_000, seconds=20.0)

    assert not flood.is_complete
    assert flood.sent < 12_000_000


def test_response_with_long_chunk_lines_is_refused(door):
    """What no cap on the body can see: framing without end."""
    flood = floods(
        head(Transfer_Encoding="chunked"),
        b"1;" + b"p" * 9_000 + b"\r\nx\r\n",
        megabytes=40,
    )
    with (
        HostileServer(flood) as server,
        TemporaryFile() as sink,
        pytest.raises(ResponseTooLarge),
    ):
        door.get(server, sink=sink, limit=5_000_000, seconds=20.0)

    assert not flood.is_complete


def test_broken_off_response_into_a_sink_raises_host_unreachable(door):
    start = head(Content_Length="5000") + b"x" * 100
    with (
        HostileServer(sends([start])) as server,
        TemporaryFile() as sink,
        pytest.raises(HostUnreachable) as broken,
    ):
        door.get(server, sink=sink)

    assert broken.value.sent


def test_slow_response_into_a_sink_ends_with_the_deadline(door):
    slow = drips(head(Content_Length="5000"))
    with (
        HostileServer(slow) as server,
        TemporaryFile() as sink,
        pytest.raises(HostUnreachable),
    ):
        door.get(server, sink=sink, seconds=0.5)


def test_an_upload_whose_connection_breaks_is_not_sent_again(door):
    """Requirement 6.8: something may have been done with it."""
    upload = Upload(BytesIO(b"x" * 1_000), 1_000)
    with (
        HostileServer(hangs_up) as server,
        pytest.raises(HostUnreachable) as broken,
    ):
        door.post(server, body=upload)

    assert broken.value.sent
    assert len(server.requests) == 1
