"""text/event-stream, against the standard and against every way to cut it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.event_stream import LONGEST, Event, EventStream, EventTooLong


def events(*chunks: bytes) -> list[Event]:
    stream = EventStream()
    return [event for chunk in chunks for event in stream.feed(chunk)]


def seen(text: str) -> list[tuple[str, str, str]]:
    return [(one.name, one.data, one.last_id) for one in events(text.encode())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The examples of the standard.
        ("data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
        (
            (
                ": test stream\n\ndata: first event\nid: 1\n\n"
                "data:second event\nid\n\ndata:  third event\n\n"
            ),
            [
                ("message", "first event", "1"),
                ("message", "second event", ""),
                ("message", " third event", ""),
            ],
        ),
        ("data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
        ("data:test\n\ndata: test\n\n", [("message", "test", "")] * 2),
        # Names, ids and what is none.
        (
            "event: add\ndata: 1\n\ndata: 2\n\n",
            [("add", "1", ""), ("message", "2", "")],
        ),
        ("event: add\n\ndata: 2\n\n", [("message", "2", "")]),
        ("id: 7\n\ndata: x\n\n", [("message", "x", "7")]),
        ("id: 7\ndata: x\n\nid: 8\0\ndata: y\n\n", [("message", i, "7") for i in "xy"]),
        ("unknown: 1\nDATA: 2\n data: 3\ndata: 4\n\n", [("message", "4", "")]),
        ("data: a:b: c\n\n", [("message", "a:b: c", "")]),
        ("data: \u00fc\n\n", [("message", "\u00fc", "")]),
        # The ends of lines, and the beginning of a stream.
        ("data: 1\r\ndata: 2\rdata: 3\n\r\n", [("message", "1\n2\n3", "")]),
        ("data: 1\r\rdata: 2\r\n\r\n", [("message", "1", ""), ("message", "2", "")]),
        ("\ufeffdata: 1\n\n", [("message", "1", "")]),
        ("\ufeff\ufeffdata: 1\n\n", []),
        ("data: 1\n\n\ufeffdata: 2\n\n", [("message", "1", "")]),
        ("data: 1", []),
        ("data: 1\n", []),
    ],
)
def test_a_stream_says_what_the_standard_says(text, expected):
    assert seen(text) == expected


def test_bytes_that_are_no_text_harm_nobody():
    assert events(b"data: \xff\n\n")[0].data == "\ufffd"


@pytest.mark.parametrize(
    ("line", "retry"),
    [
        ("retry: 2000", 2000),
        ("retry:0", 0),
        ("retry: 2s", None),
        ("retry: -1", None),
        ("retry: \u0663", None),
        ("retry", None),
    ],
)
def test_a_pause_is_digits(line, retry):
    stream = EventStream()

    stream.feed(f"{line}\n".encode())

    assert stream.retry == retry


def test_an_event_that_was_cut_off_never_happened():
    """Its id least of all: `completed` would acknowledge a token that never came."""
    stream = EventStream()
    stream.feed(b"id: pending\ndata: 1\n\n")

    assert stream.feed(b"id: completed\nevent: completed\ndata: {}\n") == []
    assert stream.last_id == "pending"


def test_a_line_that_does_not_end_is_refused():
    with pytest.raises(EventTooLong):
        events(*[b"x" * 1000] * (LONGEST // 1000 + 1))


def test_an_event_that_does_not_end_is_refused():
    with pytest.raises(EventTooLong):
        events(*[b"data: " + b"x" * 100 + b"\n"] * (LONGEST // 100 + 1))


def test_comments_may_go_on_for_ever():
    stream = EventStream()

    for _ in range(3 * LONGEST // 100):
        assert stream.feed(b": " + b"x" * 100 + b"\n") == []


LINES = st.lists(
    st.sampled_from(
        [
            *("data: one", "data:two", "data", "data: ", "id: 1", "id", "id: a\0"),
            *("event: x", "event", "retry: 5", ": note", ":", "", "odd: 1", "\ufeff"),
            "data: \u00fc\U0001f600",
        ]
    ),
    max_size=30,
)
ENDS = st.sampled_from(["\n", "\r", "\r\n"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=4), st.data())
def test_where_the_network_cuts_makes_no_difference(parts, data):
    text = "".join(line + end for lines, end in parts for line in lines).encode()
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    edges = [0, *cuts, len(text)]
    chunks = [text[a:b] for a, b in pairwise(edges)]

    whole, cut = EventStream(), EventStream()

    assert whole.feed(text) == [one for chunk in chunks for one in cut.feed(chunk)]
    assert (whole.last_id, whole.retry) == (cut.last_id, cut.retry)


@given(LINES, ENDS)
def test_how_lines_end_makes_no_difference(lines, end):
    text = "".join(f"{line}\n" for line in lines)

    # A CR at the very end may be half of a CRLF; the blank lines settle it.
    assert seen(text + "\n\n") == seen((text + "\n\n").replace("\n", end))


NO_BREAK = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")


@given(st.lists(st.text(NO_BREAK, max_size=40), min_size=1, max_size=5))
def test_data_arrives_as_it_was_sent(lines):
    text = "".join(f"data: {line}\n" for line in lines) + "\n"

    assert [one.data for one in events(text.encode())] == ["\n".join(lines)]


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_break_the_parser(chunks):
    events(*chunks)
