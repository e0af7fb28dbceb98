"""The Date header of an answer, and what it says of our own clock."""

from __future__ import annotations

import pytest

from app.atproto.http.date import clock_difference, clock_hint

NOON = 1_748_779_200.0
DATE = {"Date": "Sun, 01 Jun 2025 12:00:00 GMT"}


@pytest.mark.parametrize("difference", [0, -7200, 7200])
def test_clock_difference_is_in_seconds_and_positive_when_ours_is_ahead(difference):
    assert clock_difference(DATE, NOON + difference) == difference


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 99 Jun 2025 12:00:00 GMT"])
def test_clock_difference_without_a_date_is_none(text):
    assert clock_difference({"Date": text}, NOON) is None


def test_clock_difference_reads_a_bounded_part_of_the_header():
    assert clock_difference({"Date": "1 " * 4_000_000}, NOON) is None


@pytest.mark.parametrize(
    ("difference", "words"), [(7200, "7200 s ahead of"), (-7200, "7200 s behind")]
)
def test_clock_hint_says_by_how_much_our_clock_is_wrong(difference, words):
    assert words in clock_hint(DATE, NOON + difference)


def test_clock_hint_of_a_small_difference_is_empty():
    assert clock_hint(DATE, NOON + 59) == ""
