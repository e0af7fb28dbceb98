"""Suggestions and look-ups while a person types: bounded, cached, never an error."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from app.atproto.errors import HandleNotFound, HostUnreachable
from app.atproto.http.types import Response
from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.identifier import parse_identifier
from app.flows.errors import TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.login.typing import (
    ANSWER_BYTES,
    ANSWER_LIMIT,
    FAILED,
    FRESH,
    LONGEST,
    MOST,
    LookUpAhead,
    SuggestAccounts,
)

URL = "https://api.test/xrpc/app.bsky.actor.searchActorsTypeahead"
ALICE = {"handle": "alice.test", "displayName": "Alice Liddell", "avatar": "https://x"}
HERE = "198.51.100.7"


@dataclass
class Door:
    """Answers every request in the same way, and notes what was asked."""

    document: object = field(default_factory=lambda: {"actors": [ALICE]})
    status: int = 200
    failure: Exception | None = None
    asked: list = field(default_factory=list)

    def request(self, method, url, *, deadline, limit, headers, timeout):
        assert limit == ANSWER_BYTES
        assert timeout == ANSWER_LIMIT
        assert deadline.remaining() <= ANSWER_LIMIT
        self.asked.append(url)
        if self.failure:
            raise self.failure
        body = json.dumps(self.document).encode()
        return Response(status=self.status, url=url, headers={}, body=body)


@dataclass
class Limits:
    most: int = 1_000
    hits: list = field(default_factory=list)

    def hit_all(self, kind, counted):
        self.hits.append((kind, list(counted)))
        if len(self.hits) > self.most:
            raise TooManyRequests(kind, retry_after=1)


@pytest.fixture
def door():
    return Door()


@pytest.fixture
def rates():
    return Limits()


@pytest.fixture
def suggest(door, rates, clock):
    return SuggestAccounts(
        http=door,
        url=URL,
        limits=rates,
        concurrency=ConcurrencyLimit("service", total=1, retry_after=1),
        answers=MemoryCache(clock),
    )


def test_suggestions_have_handle_name_and_avatar(suggest, door):
    [found] = suggest("@Alic", address=HERE)

    assert (found.handle, found.name) == ("alice.test", "Alice Liddell")
    assert found.avatar == "https://x"
    assert door.asked == [f"{URL}?q=alic&limit=8"]


def test_same_question_is_asked_once_while_its_answer_is_fresh(suggest, door, clock):
    suggest("ali", address=HERE)
    suggest("ALI ", address=HERE)
    assert len(door.asked) == 1

    clock.advance(FRESH + 1)
    suggest("ali", address=HERE)
    assert len(door.asked) == 2


@pytest.mark.parametrize(
    "typed",
    ["", "  ", "me@mail.test", "did:plc:abc", "https://x.test", "a" * (LONGEST + 1)],
)
def test_what_is_no_part_of_a_handle_is_not_passed_on(suggest, door, rates, typed):
    assert suggest(typed, address=HERE) == ()
    assert door.asked == []
    assert rates.hits == []


def test_without_typeahead_url_nothing_is_asked(door, rates, clock):
    off = SuggestAccounts(
        http=door,
        url=None,
        limits=rates,
        concurrency=ConcurrencyLimit("service", total=1, retry_after=1),
        answers=MemoryCache(clock),
    )

    assert off("ali", address=HERE) == ()
    assert door.asked == []


@pytest.mark.parametrize(
    "trouble",
    [
        {"failure": HostUnreachable("api.test", "down")},
        {"status": 500},
        {"document": []},
        {"document": {"actors": "x"}},
    ],
    ids=str,
)
def test_endpoint_in_trouble_gives_no_accounts_and_is_left_alone(
    suggest, door, clock, trouble
):
    for name, value in trouble.items():
        setattr(door, name, value)

    assert suggest("ali", address=HERE) == ()
    assert suggest("ali", address=HERE) == ()
    assert len(door.asked) == 1
    clock.advance(FAILED + 1)
    suggest("ali", address=HERE)
    assert len(door.asked) == 2


def test_suggestions_are_eight_at_most(suggest, door):
    door.document = {"actors": [ALICE] * 20}

    assert len(suggest("ali", address=HERE)) == MOST


def test_hostile_actors_are_left_out_and_names_cut(suggest, door):
    door.document = {
        "actors": [
            None,
            7,
            {"handle": 7},
            {"handle": "<script>"},
            {"handle": "handle.invalid"},
            {"handle": "x.test", "displayName": ["no text"]},
            {"handle": "mallory.test", "displayName": "\u202eecila\x00" + "y" * 9_000},
            *[ALICE] * 20,
        ]
    }

    [mallory, alice] = suggest("mal", address=HERE)

    assert mallory.name.startswith("ecila")
    assert len(mallory.name) == LONGEST
    assert alice.handle == "alice.test"


def test_more_questions_than_the_limit_are_refused(suggest, rates):
    rates.most = 1
    suggest("ali", address=HERE)

    with pytest.raises(TooManyRequests):
        suggest("alic", address=HERE)


@dataclass
class Finder:
    failure: Exception | None = None
    found: list = field(default_factory=list)

    def __call__(self, identifier, deadline):
        self.found.append(identifier.value)
        if self.failure:
            raise self.failure


@pytest.fixture
def finder():
    return Finder()


@pytest.fixture
def look_up(finder, rates):
    return LookUpAhead(
        discover=finder,
        read_identifier=parse_identifier,
        limits=rates,
        concurrency=ConcurrencyLimit("service", total=1, retry_after=1),
    )


def test_look_up_ahead_finds_where_a_handle_leads(look_up, finder, rates):
    look_up("@alice.example.com", address=HERE)

    assert finder.found == ["alice.example.com"]
    assert rates.hits == [("typing", [(f"look-up {HERE}", 0.25)])]


@pytest.mark.parametrize(
    "typed", ["", "alice", "me@mail.test", "https://host.example.com", "x" * 3_000]
)
def test_look_up_ahead_of_no_whole_handle_asks_nothing(look_up, finder, typed):
    look_up(typed, address=HERE)

    assert finder.found == []


@pytest.mark.parametrize(
    "failure", [HandleNotFound("x.test"), TooManyRequests("host", retry_after=1)]
)
def test_look_up_ahead_that_fails_says_nothing(look_up, finder, failure):
    finder.failure = failure

    assert look_up("alice.example.com", address=HERE) is None


def test_look_up_ahead_beyond_the_limit_is_refused(look_up, rates, finder):
    rates.most = 0

    with pytest.raises(TooManyRequests):
        look_up("alice.example.com", address=HERE)
    assert finder.found == []
