"""Profile records: foreign text that is read beside a sign-in, or not at all."""

from __future__ import annotations

import json

import pytest

from app.atproto.errors import HostUnreachable
from app.atproto.http.types import Response
from app.flows.errors import StorageFailed
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.people.profiles import (
    BUDGET,
    MOST_BYTES,
    NoteProfile,
    Profile,
    profile_in,
)
from tests.stores.samples import ALICE, session, user

CID = "bafkrei" + "a" * 52
NONE = Profile(display_name=None, avatar_cid=None)


def blob(link):
    return {"$type": "blob", "ref": {"$link": link}, "mimeType": "image/png"}


class Pds:
    """A PDS that answers with a status and a document, or not at all."""

    def __init__(self):
        self.status, self.document, self.asked = 200, {}, []

    def request(self, method, url, *, limit, deadline, **_options):
        self.asked.append((method, url))
        assert limit == MOST_BYTES
        assert deadline.remaining() <= BUDGET
        if self.status is None:
            raise HostUnreachable("pds.test", "down")
        body = json.dumps(self.document).encode()
        return Response(status=self.status, headers={}, body=body, url=url)


@pytest.fixture
def pds():
    return Pds()


@pytest.fixture
def started():
    """What was started beside the sign-in and waits for its thread."""
    return []


@pytest.fixture
def make_note(pds, users, clock, started):
    users.add(user(), skeleton="alice")

    def make(**changes):
        given = {
            "http": pds,
            "users": users,
            "pds_of": lambda _did, _grant: "https://pds.test",
            "note_email": lambda _did, _grant: None,
            "is_told": lambda: True,
            "start": started.append,
            "places": ConcurrencyLimit("service", total=1, retry_after=5),
            "clock": clock,
        }
        return NoteProfile(**{**given, **changes})

    return make


def test_record_is_asked_for_after_the_sign_in_has_gone_on(
    make_note, pds, users, started, clock
):
    pds.document = {"value": {"displayName": " Alice  L. ", "avatar": blob(CID)}}

    make_note()(session())
    assert pds.asked == []
    started.pop()()

    [(method, url)] = pds.asked
    assert method == "GET"
    assert url.startswith(
        "https://pds.test/xrpc/com.atproto.repo.getRecord?repo=did%3A"
    )
    assert url.endswith("&collection=app.bsky.actor.profile&rkey=self")
    noted = users.get(ALICE)
    assert (noted.display_name, noted.avatar_cid) == ("Alice L.", CID)
    assert noted.profile_checked_at == clock()


@pytest.mark.parametrize(
    ("status", "document", "is_noted"),
    [
        (400, {"error": "RecordNotFound"}, True),
        (200, {}, True),
        (400, {"error": "RepoDeactivated"}, False),
        (404, {"error": "RecordNotFound"}, False),
        (302, {}, False),
        (500, {}, False),
        (200, [], False),
        (None, None, False),
    ],
)
def test_answer_without_a_record_fails_nothing(
    make_note, pds, users, started, status, document, is_noted
):
    pds.status, pds.document = status, document
    users.note_profile(ALICE, display_name="before", avatar_cid=None, now=1)

    make_note()(session())
    started.pop()()

    assert users.get(ALICE).display_name == (None if is_noted else "before")


def test_nothing_is_asked_where_no_app_is_told(make_note, pds, started):
    make_note(is_told=lambda: False)(session())
    make_note()(session(oauth_session_id=None))

    assert started == []
    make_note(pds_of=lambda _did, _grant: None)(session())
    started.pop()()
    assert pds.asked == []


def test_failures_of_ours_fail_no_sign_in(make_note, started, pds):
    def fail(*_given):
        raise StorageFailed("disk")

    def refuse(_work):
        raise RuntimeError("can't start new thread")

    make_note(is_told=fail)(session())
    make_note(start=refuse)(session())
    full = ConcurrencyLimit("service", total=1, retry_after=5)
    make_note(pds_of=fail)(session())
    make_note(places=full)(session())
    started.pop(0)()
    with full.hold():
        started.pop()()

    assert pds.asked == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\u202eb\x00\n c", "ab c"),
        ("x" * 300, "x" * 64),
        ("\u200b \u2066", None),
        ("", None),
        (7, None),
        (["x"], None),
        (None, None),
    ],
)
def test_display_name_is_text_that_hides_and_turns_nothing(name, shown):
    assert profile_in({"displayName": name}).display_name == shown


@pytest.mark.parametrize(
    "avatar",
    [
        None,
        "https://evil.test/a.png",
        {"ref": CID},
        {"ref": {"$link": ["x"]}},
        {"ref": {"$link": f"{CID}/../x"}},
        {"ref": {"$link": CID.upper()}},
        {"ref": {"$link": "bafybei" + "a" * 52}},
        {"ref": {"$link": f"{CID}\n"}},
        [1],
        {"cid": CID, "mimeType": "image/png"},
    ],
)
def test_avatar_that_is_no_blob_is_none(avatar):
    assert profile_in({"avatar": avatar}).avatar_cid is None


@pytest.mark.parametrize("record", [None, [], "x", 3])
def test_record_that_is_no_object_says_nothing(record):
    assert profile_in(record) == NONE
