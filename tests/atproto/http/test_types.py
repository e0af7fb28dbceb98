"""Answers as values, and the budget that the requests of a flow share."""

from __future__ import annotations

import pytest

from app.atproto.errors import DocumentInvalid
from app.atproto.http.types import Deadline, Response
from tests.fakes.clock import FakeClock


def answer(body=b"{}", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(200, names, body, "https://pds.dev/x?secret=canary")


@pytest.mark.parametrize(
    ("header", "essence"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        (" text/html ;x", "text/html"),
        ("application/json, text/html", "application/json, text/html"),
        ("", ""),
    ],
)
def test_content_type_is_media_type_in_lower_case(header, essence):
    assert answer(content_type=header).content_type == essence


def test_an_answer_without_content_type_has_none():
    assert answer().content_type == ""


def test_headers_are_case_insensitive():
    assert answer(DPoP_Nonce="n").headers["dpop-nonce"] == "n"


def test_a_json_object_is_read():
    assert answer('{"a": [1, "ü", "\\ud83d\\ude00"]}'.encode()).json_object() == {
        "a": [1, "ü", "\U0001f600"]
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><h1>502 Bad Gateway</h1>",
        b'{"a": 1',
        b'{"a": 1} trailing',
        b"\xff\xfe{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"a": ' + b"9" * 50_000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_invalid_json_raises_document_invalid(body):
    with pytest.raises(DocumentInvalid, match="not JSON"):
        answer(body).json_object()


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"7", b"true"])
def test_json_that_is_no_object_raises_document_invalid(body):
    with pytest.raises(DocumentInvalid, match="not a JSON object"):
        answer(body).json_object()


def test_document_invalid_names_the_host_only():
    with pytest.raises(DocumentInvalid) as caught:
        answer(b"canary").json_object()

    assert caught.value.host == "pds.dev"
    assert "canary" not in str(caught.value)


def test_repr_of_response_contains_no_content():
    assert "canary" not in repr(answer(b"canary", Set_Cookie="canary"))


def test_a_deadline_counts_down():
    clock = FakeClock()
    deadline = Deadline.after(10, clock.monotonic)
    clock.advance(4)

    assert deadline.remaining() == pytest.approx(6)


def test_a_deadline_that_is_over_has_nothing_left():
    clock = FakeClock()
    deadline = Deadline.after(10, clock.monotonic)
    clock.advance(10)

    assert deadline.remaining() <= 0


def test_a_part_of_a_deadline_ends_with_the_sooner_one():
    clock = FakeClock()
    deadline = Deadline.after(10, clock.monotonic)

    assert deadline.within(3).remaining() == pytest.approx(3)
    assert deadline.within(30).remaining() == pytest.approx(10)
