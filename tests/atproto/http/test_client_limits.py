"""How much the door reads, and for how long it waits (requirements 9.3 and 9.4)."""

from __future__ import annotations

import gzip
import json

import pytest

from app.atproto.errors import (
    DocumentInvalid,
    HostUnreachable,
    ResponseTooLarge,
    ServerInvalid,
)
from app.atproto.http.client import Deadline, NetworkPolicy
from app.atproto.http.limits import NotWanted, wanted_while
from tests.atproto.doors import HOST, Door, OneAnswer
from tests.fakes.clock import FakeClock
from tests.fakes.hostile import HostileServer, drips, floods, head, says, sends

CHUNKED = head(Transfer_Encoding="chunked")
BOMB = gzip.compress(b"\0" * 5_000_000)


@pytest.fixture
def door():
    with Door(NetworkPolicy.lab()) as door:
        yield door


# --- how much we read (requirements 9.3, 9.4) -----------------------------------------


def test_a_body_at_the_limit_is_read(door):
    with HostileServer(says(b"x" * 10_000)) as server:
        assert len(door.get(server).body) == 10_000


def test_request_that_is_not_wanted_any_more_raises_not_wanted(door):
    wanted = iter([True, True, False])
    with (
        HostileServer(says(b"x" * 10_000)) as server,
        wanted_while(lambda: next(wanted, False)),
        pytest.raises(NotWanted),
    ):
        door.get(server)

    with HostileServer(says(b"x")) as server:
        assert door.get(server).body == b"x"


def test_a_body_over_the_limit_is_refused(door):
    with (
        HostileServer(says(b"x" * 10_001)) as server,
        pytest.raises(ResponseTooLarge) as caught,
    ):
        door.get(server)

    assert caught.value.limit == 10_000


def test_ten_megabytes_of_json_are_refused(door):
    body = json.dumps({"padding": "x" * 10_000_000}).encode()
    with HostileServer(says(body)) as server, pytest.raises(ResponseTooLarge):
        door.get(server, limit=100_000)


@pytest.mark.parametrize(
    ("framing", "piece"),
    [
        ({}, b"x" * 10_000),
        ({"Content_Length": "99999999999"}, b"x" * 10_000),
        ({"Transfer_Encoding": "chunked"}, b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
    ],
    ids=["until the end", "by length", "in chunks"],
)
def test_endless_body_raises_response_too_large(door, framing, piece):
    flood = floods(head(**framing), piece)
    with HostileServer(flood) as server, pytest.raises(ResponseTooLarge):
        door.get(server)

    assert not flood.is_complete


@pytest.mark.parametrize(
    ("start", "piece", "error"),
    [
        (b"HTTP/1.1 200 X\r\n", b"X: " + b"y" * 50_000 + b"\r\n", ResponseTooLarge),
        (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", ResponseTooLarge),
        (CHUNKED + b"0\r\n", b"X: " + b"y" * 50 + b"\r\n", ServerInvalid),
        (CHUNKED + b"0\r\n", b"X: " + b"y" * 50_000 + b"\r\n", ResponseTooLarge),
        (CHUNKED, b"1\r\nx\r\n", ServerInvalid),
    ],
    ids=["headers", "interim answers", "trailers", "long trailers", "tiny chunks"],
)
def test_endless_framing_is_cut_off(door, start, piece, error):
    flood = floods(start, piece)
    with HostileServer(flood) as server, pytest.raises(error):
        door.get(server, limit=1_000_000)

    assert not flood.is_complete


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99 + b"\r\n", ResponseTooLarge),
        (b"HTTP/1.1 103 Early\r\n\r\n" * 51 + head(), ResponseTooLarge),
        (head(X="y" * 8_000), ResponseTooLarge),
        (head(A="y" * 6_000, B="y" * 6_000, C="y" * 6_000), ResponseTooLarge),
        (b"HTTP/1.1 200 OK\r\nX: a\rB: c\r\n\r\n", HostUnreachable),
        (b"HTTP/1.1 200 OK\r\n" + b"\r" * 4_000 + b"\r\n\r\n", HostUnreachable),
    ],
    ids=["lines", "interim lines", "line", "bytes", "bare CR", "many bare CRs"],
)
def test_head_over_a_limit_is_refused(door, sent, error):
    with HostileServer(sends([sent])) as server, pytest.raises(error):
        door.get(server)

    assert server.connections == 1


def test_head_at_the_limits_is_read(door):
    start = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 98 + b"\r\n"
    long = {"A": "y" * 7_900, "B": "y" * 7_900, "Content_Length": "0"}
    with HostileServer(sends([start]), says(b"", **long)) as server:
        assert door.get(server).status == 200
        assert len(door.get(server).headers["B"]) == 7_900


def test_body_in_small_chunks_is_read_whole(door):
    body = [b"%x\r\n%s\r\n" % (40, b"x" * 40)] * 2_000
    answer = sends([CHUNKED, *body, b"0\r\n\r\n"])
    with HostileServer(answer) as server:
        assert len(door.get(server, limit=100_000).body) == 80_000


def test_too_many_headers_are_refused(door):
    many = {f"X_{number}": "y" for number in range(150)}
    with HostileServer(says(**many)) as server, pytest.raises(ResponseTooLarge):
        door.get(server)


def test_large_headers_are_refused(door):
    large = {f"X_{number}": "y" * 10_000 for number in range(7)}
    with HostileServer(says(**large)) as server, pytest.raises(ResponseTooLarge):
        door.get(server)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_compressed_answer_is_refused(door, encoding):
    with (
        HostileServer(says(BOMB, Content_Encoding=encoding)) as server,
        pytest.raises(ServerInvalid, match="compressed"),
    ):
        door.get(server, headers={"Accept-Encoding": "gzip"})

    assert server.requests[0].headers["Accept-Encoding"] == "identity"


def test_truncated_body_raises_host_unreachable(door):
    with (
        HostileServer(sends([head(Content_Length="100"), b"{}"])) as server,
        pytest.raises(HostUnreachable) as caught,
    ):
        door.get(server)

    assert caught.value.sent


@pytest.mark.parametrize(
    "answer",
    [b"", b"\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 banana\r\n\r\n"],
)
def test_response_that_is_not_http_raises_host_unreachable(door, answer):
    with HostileServer(sends([answer])) as server, pytest.raises(HostUnreachable):
        door.get(server)


def test_html_page_read_as_json_raises_document_invalid(door):
    page = says(b"<!doctype html><h1>Hello</h1>", Content_Type="text/html")
    with HostileServer(page) as server:
        response = door.get(server)

    assert response.content_type == "text/html"
    with pytest.raises(DocumentInvalid):
        response.json_object()


# --- how long we wait (requirement 9.3) -----------------------------------------------


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 Reason\r\nX: ", head(), head(Transfer_Encoding="chunked")],
    ids=["status", "header", "body", "chunk size"],
)
def test_slow_response_ends_with_the_deadline(door, start):
    with (
        HostileServer(drips(start)) as server,
        pytest.raises(HostUnreachable, match="in time") as caught,
    ):
        door.get(server, seconds=0.3)

    assert caught.value.sent


def test_slow_response_ends_with_the_timeout(door):
    with (
        HostileServer(drips(head())) as server,
        pytest.raises(HostUnreachable, match="in time"),
    ):
        door.get(server, timeout=0.3)


def test_redirects_share_one_time_limit():
    clock = FakeClock()
    network = OneAnswer(302, {"Location": "/again"}, before=lambda: clock.advance(4))
    with (
        Door(NetworkPolicy(), adapter=network, monotonic=clock.monotonic) as door,
        pytest.raises(HostUnreachable),
    ):
        door.http.request(
            "GET",
            f"https://{HOST}/",
            deadline=Deadline.after(60, clock.monotonic),
            limit=1,
            redirects=3,
        )

    assert len(network.urls) == 3  # at 0, 4 and 8 seconds of 10


def test_deadline_applies_to_a_test_adapter():
    clock = FakeClock()
    network = OneAnswer(body=b"x", before=lambda: clock.advance(11))
    deadline = Deadline.after(10, clock.monotonic)
    with (
        Door(NetworkPolicy(), adapter=network) as door,
        pytest.raises(HostUnreachable, match="in time") as caught,
    ):
        door.http.request("GET", f"https://{HOST}/", deadline=deadline, limit=1)

    assert caught.value.sent


def test_request_after_the_deadline_is_not_sent(door):
    with HostileServer(says()) as server:
        with pytest.raises(HostUnreachable) as caught:
            door.get(server, seconds=0.0)

        assert not caught.value.sent
        assert server.connections == 0
