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
from tests.atproto.doors import HOST, Door, OneAnswer
from tests.fakes.clock import FakeClock
from tests.fakes.hostile import HostileServer, drips, floods, head, says, sends

BOMB = gzip.compress(b"\0" * 5_000_000)


@pytest.fixture
def door():
    with Door(NetworkPolicy.lab()) as door:
        yield door


# --- how much we read (9.3, 9.4) --------------------------------------------------


def test_a_body_at_the_limit_is_read(door):
    with HostileServer(says(b"x" * 10_000)) as server:
        assert len(door.get(server).body) == 10_000


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
def test_an_endless_body_is_cut_off(door, framing, piece):
    flood = floods(head(**framing), piece)
    with HostileServer(flood) as server, pytest.raises(ResponseTooLarge):
        door.get(server)

    assert not flood.is_complete


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 Whatever\r\n", b"X: " + b"y" * 50_000 + b"\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"),
        (head(Transfer_Encoding="chunked") + b"0\r\n", b"X: " + b"y" * 50 + b"\r\n"),
    ],
    ids=["headers", "interim answers", "trailers"],
)
def test_what_surrounds_a_body_has_an_end_too(door, start, piece):
    flood = floods(start, piece)
    with HostileServer(flood) as server, pytest.raises(ResponseTooLarge):
        door.get(server)

    assert not flood.is_complete


def test_too_many_headers_are_refused(door):
    many = {f"X_{number}": "y" for number in range(150)}
    with HostileServer(says(**many)) as server, pytest.raises(HostUnreachable):
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


def test_an_answer_that_ends_early_is_no_answer(door):
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
def test_what_is_not_http_is_no_answer(door, answer):
    with HostileServer(sends([answer])) as server, pytest.raises(HostUnreachable):
        door.get(server)


def test_a_page_in_place_of_json_is_a_clean_error(door):
    page = says(b"<!doctype html><h1>Hello</h1>", Content_Type="text/html")
    with HostileServer(page) as server:
        response = door.get(server)

    assert response.content_type == "text/html"
    with pytest.raises(DocumentInvalid):
        response.json_object()


# --- how long we wait (9.3) -------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 Whatever\r\nX: ", head(), head(Transfer_Encoding="chunked")],
    ids=["status", "header", "body", "chunk size"],
)
def test_a_slow_drip_ends_with_the_deadline(door, start):
    with (
        HostileServer(drips(start)) as server,
        pytest.raises(HostUnreachable, match="in time") as caught,
    ):
        door.get(server, seconds=0.3)

    assert caught.value.sent


def test_a_slow_drip_ends_with_the_time_limit_of_the_request(door):
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


def test_the_time_limit_holds_with_a_stand_in_for_the_network():
    clock = FakeClock()
    network = OneAnswer(body=b"x", before=lambda: clock.advance(11))
    deadline = Deadline.after(10, clock.monotonic)
    with (
        Door(NetworkPolicy(), adapter=network) as door,
        pytest.raises(HostUnreachable, match="in time") as caught,
    ):
        door.http.request("GET", f"https://{HOST}/", deadline=deadline, limit=1)

    assert caught.value.sent


def test_when_the_time_is_over_nobody_is_asked(door):
    with HostileServer(says()) as server:
        with pytest.raises(HostUnreachable) as caught:
            door.get(server, seconds=0.0)

        assert not caught.value.sent
        assert server.connections == 0
