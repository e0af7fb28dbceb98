"""The revocation feed: which sessions it names, for how long, and its cursors."""

from __future__ import annotations

import jwt
import pytest

from app.atproto.crypto.keys import SigningKey
from app.atproto.stores.memory import MemoryCache
from app.flows.errors import CursorInvalid
from app.flows.sessions import revocations
from app.flows.sessions.revocations import ListRevocations
from app.tokens.errors import SigningKeyMissing
from app.tokens.keys import KeyRing
from tests.stores.samples import session

DAY = 86_400
KEY = SigningKey.generate("ES256")


@pytest.fixture
def feed(sessions, clock):
    return ListRevocations(
        sessions=sessions,
        ring=lambda: KeyRing.of(KEY, ()),
        issuer="https://auth.example.org",
        token_lifetime=DAY,
        clock=clock,
        answers=MemoryCache(clock, max_entries=revocations.CACHE_ENTRIES),
    )


@pytest.fixture
def end(sessions, clock):
    def end_one(sid):
        sessions.add(session(sid=sid, expires_at=clock() + 90 * DAY), secret=sid)
        sessions.end(sid, int(clock()))

    return end_one


def claims(answer):
    key = jwt.PyJWK(KEY.public_jwk())
    return jwt.decode(
        answer.jwt, key, algorithms=["ES256"], options={"verify_exp": False}
    )


def test_feed_names_ended_sessions_until_their_tokens_are_over(feed, end, clock):
    end("sid-9")
    ended_at = int(clock())

    assert claims(feed())["sessions"] == {"sid-9": ended_at + DAY + revocations.MARGIN}

    clock.advance(DAY - 60)
    assert "sid-9" in claims(feed())["sessions"]
    clock.advance(60 + revocations.MARGIN + revocations.OVERLAP)
    assert claims(feed())["sessions"] == {}


def test_feed_has_a_typ_of_its_own_and_the_published_keys(feed):
    answer = feed()

    assert jwt.get_unverified_header(answer.jwt)["typ"] == "revocations+jwt"
    assert claims(answer)["keys"] == [KEY.kid]
    assert claims(answer)["iss"] == "https://auth.example.org"


def test_feed_from_a_cursor_leaves_out_what_is_older(feed, end, clock):
    end("old")
    clock.advance(10 * revocations.OVERLAP)
    cursor = claims(feed())["next"]
    clock.advance(5)
    end("new")

    assert list(claims(feed(cursor))["sessions"]) == ["new"]


def test_feed_repeats_ends_that_another_clock_dated_a_minute_ago(feed, end, clock):
    cursor = claims(feed())["next"]
    clock.advance(-revocations.OVERLAP + 1)
    end("late")
    clock.advance(revocations.OVERLAP)

    assert "late" in claims(feed(cursor))["sessions"]


def test_feed_of_many_sessions_comes_in_pages(feed, end, monkeypatch):
    monkeypatch.setattr(revocations, "PAGE", 2)
    for number in range(5):
        end(f"sid-{number}a")

    pages, cursor = [], ""
    while True:
        page = claims(feed(cursor))
        pages.append(list(page["sessions"]))
        cursor = page["next"]
        if not page["more"]:
            break

    assert pages == [["sid-0a", "sid-1a"], ["sid-2a", "sid-3a"], ["sid-4a"]]


def test_answer_is_shared_for_two_seconds(feed, end, clock):
    first = feed()
    end("sid-9")

    assert feed() is first
    clock.advance(revocations.CACHED)
    assert feed() is not first


def test_etag_changes_with_the_sessions_alone(feed, end, clock):
    first = feed("999999999999.")
    clock.advance(revocations.CACHED)
    assert feed("999999999999.").etag == first.etag

    whole = feed()
    end("sid-9")
    clock.advance(revocations.CACHED)
    assert feed().etag != whole.etag


@pytest.mark.parametrize(
    "since",
    ["x", "5", ".", "-1.", "1e3.", f"5.{'x' * 99}", "\u0663.", f"{'9' * 20}.a"],
)
def test_feed_with_a_since_that_is_no_cursor_raises(feed, since):
    with pytest.raises(CursorInvalid):
        feed(since)


def test_feed_without_an_active_key_raises(sessions, clock, feed):
    empty = ListRevocations(
        sessions=sessions,
        ring=lambda: KeyRing.of(None, ()),
        issuer="https://auth.example.org",
        token_lifetime=DAY,
        clock=clock,
        answers=MemoryCache(clock),
    )

    with pytest.raises(SigningKeyMissing):
        empty()
