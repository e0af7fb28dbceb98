"""Avatars of suggested accounts: ours alone, images alone, bounded and cached."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.atproto.errors import HostUnreachable
from app.atproto.http.types import Response
from app.atproto.stores.memory import MemoryCache
from app.flows.errors import TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.login.avatars import (
    AVATAR_BYTES,
    AVATAR_LIMIT,
    FAILED,
    FRESH,
    LONGEST_URL,
    AvatarKey,
    FetchAvatar,
    media_type_of,
    small,
)

URL = "https://images.test/img/avatar_thumbnail/alice@jpeg"
JPEG = b"\xff\xd8\xff\xe0 a picture"
HERE = "198.51.100.7"
KEY = AvatarKey(b"k" * 32)


@dataclass
class Door:
    """Answers every request in the same way, and notes what was asked."""

    body: bytes = JPEG
    status: int = 200
    failure: Exception | None = None
    asked: list = field(default_factory=list)

    def request(self, method, url, *, deadline, limit, headers, timeout):
        assert limit == AVATAR_BYTES
        assert deadline.remaining() <= AVATAR_LIMIT == timeout
        self.asked.append(url)
        if self.failure:
            raise self.failure
        headers = {"Content-Type": "image/jpeg"}
        return Response(status=self.status, url=url, headers=headers, body=self.body)


@dataclass
class Limits:
    hits: list = field(default_factory=list)
    failure: Exception | None = None

    def hit_all(self, kind, counted):
        self.hits.append((kind, list(counted)))
        if self.failure:
            raise self.failure


@pytest.fixture
def door():
    return Door()


@pytest.fixture
def rates():
    return Limits()


@pytest.fixture
def fetch(door, rates, clock):
    return FetchAvatar(
        http=door,
        key=KEY,
        limits=rates,
        concurrency=ConcurrencyLimit("service", total=1, retry_after=1),
        pictures=MemoryCache(clock),
    )


def test_avatar_that_we_named_is_fetched_once_while_it_is_fresh(fetch, door, clock):
    found = [fetch(URL, KEY.mark(URL), address=HERE) for _ in range(2)]

    assert [(p.content, p.media_type) for p in found] == [(JPEG, "image/jpeg")] * 2
    assert door.asked == [URL]
    clock.advance(FRESH + 1)
    fetch(URL, KEY.mark(URL), address=HERE)
    assert len(door.asked) == 2


@pytest.mark.parametrize(
    "mark", ["", "x", "é", KEY.mark(URL + "x"), AvatarKey(b"o" * 32).mark(URL)]
)
def test_address_with_a_forged_mark_is_not_asked(fetch, door, rates, mark):
    assert fetch(URL, mark, address=HERE) is None
    assert (door.asked, rates.hits) == ([], [])


@pytest.mark.parametrize(
    "body", [b"", b"<svg onload=alert(1)>", b"<html>", b"RIFF1234WAVE", b"GIF89a"]
)
def test_answer_that_is_no_image_is_not_passed_on(fetch, door, body):
    door.body = body

    assert fetch(URL, KEY.mark(URL), address=HERE) is None


def test_host_in_trouble_gives_no_avatar_and_is_left_alone(fetch, door, clock):
    door.failure = HostUnreachable("images.test", "down", sent=True)

    assert [fetch(URL, KEY.mark(URL), address=HERE) for _ in range(3)] == [None] * 3

    assert len(door.asked) == 1
    clock.advance(FAILED + 1)
    door.failure, door.status = None, 404
    assert fetch(URL, KEY.mark(URL), address=HERE) is None
    assert len(door.asked) == 2


def test_avatars_beyond_the_limit_of_a_network_are_refused(fetch, door, rates):
    rates.failure = TooManyRequests("typing", retry_after=1)

    with pytest.raises(TooManyRequests):
        fetch(URL, KEY.mark(URL), address=HERE)

    assert door.asked == []
    assert rates.hits == [("typing", [(f"avatar {HERE}", 8.0)])]


def test_small_replaces_the_large_avatar_of_bluesky():
    assert small("https://cdn.test/img/avatar/plain/did:plc:x/y@jpeg") == (
        "https://cdn.test/img/avatar_thumbnail/plain/did:plc:x/y@jpeg"
    )
    assert small("https://pics.test/a.png") == "https://pics.test/a.png"


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "http://pics.test/a",
        "javascript:alert(1)",
        "data:image/png;base64,x",
        "https://pics.test/a b",
        "https://pics.test/\n",
        "https://pics.test/é",
        "https://pics.test/" + "a" * LONGEST_URL,
    ],
)
def test_small_of_what_is_no_plain_https_url_is_empty(url):
    assert small(url) == ""


def test_media_type_is_read_from_the_first_bytes():
    assert media_type_of(b"\x89PNG\r\n\x1a\n....") == "image/png"
    assert media_type_of(b"RIFF....WEBPVP8 ") == "image/webp"
    assert media_type_of(JPEG) == "image/jpeg"
    assert media_type_of(b"") is None
