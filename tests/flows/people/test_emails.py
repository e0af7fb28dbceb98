"""E-mail addresses: foreign text, the word of one PDS, read or not at all."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.atproto.errors import HostUnreachable, SessionEnded
from app.atproto.http.types import Response
from app.flows.errors import StorageFailed
from app.flows.people.emails import BUDGET, MOST_BYTES, NoteEmail
from tests.stores.samples import ALICE, BOB, oauth_session, user

KNOWN = {"email": "old@a.test", "email_host": "pds.test", "email_confirmed_at": 7}
SAYS = {"did": ALICE, "email": "new@a.test", "emailConfirmed": True}


class Host:
    """A PDS behind a session there; the session is its own client."""

    def __init__(self):
        self.status, self.document, self.asked = 200, dict(SAYS), []

    def restore(self, did, session_id):
        self.asked.append((did, session_id))
        return self

    def request(self, method, path, *, deadline, limit, **_options):
        self.asked.append((method, path))
        assert limit == MOST_BYTES
        assert deadline.remaining() <= BUDGET
        if isinstance(self.status, Exception):
            raise self.status
        body = json.dumps(self.document).encode()
        return Response(status=self.status, headers={}, body=body, url="https://p.test")


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def make_note(host, users, clock):
    def make(scope="atproto account:email", pds="https://pds.test", **changes):
        users.add(user(**KNOWN), skeleton="alice")
        granted = oauth_session(did=ALICE, session_id="s", scope=scope, pds=pds)
        given = {
            "client": host,
            "grant_of": lambda _did, _session_id: granted,
            "users": users,
            "is_told": lambda: True,
            "clock": clock,
        }
        return NoteEmail(**{**given, **changes})

    return make


def known(users):
    found = users.get(ALICE)
    return found.email, found.email_host, found.email_confirmed_at


@pytest.mark.parametrize("scope", ["atproto account:email", "atproto transition:email"])
def test_address_is_read_with_the_session_at_the_host(
    make_note, host, users, clock, scope
):
    make_note(scope)(ALICE, "s")

    assert host.asked == [
        (ALICE, "s"),
        ("GET", "/xrpc/com.atproto.server.getSession"),
    ]
    assert known(users) == ("new@a.test", "pds.test", clock())


def test_address_of_a_pds_that_the_account_moved_to_is_not_the_former_ones(
    make_note, host, users
):
    """The request refreshed the grant, which then names the PDS of now."""
    scope, pds = "atproto account:email", "https://pds.test"
    before = oauth_session(did=ALICE, session_id="s", scope=scope, pds=pds)
    moved = replace(before, pds="https://elsewhere.test")
    note = make_note(grant_of=lambda _did, _id: moved if host.asked else before)

    note(ALICE, "s")

    assert known(users) == tuple(KNOWN.values())


@pytest.mark.parametrize("said", [None, False, 1, "true", [True]])
def test_address_that_is_not_said_to_be_confirmed_is_not(make_note, host, users, said):
    host.document["emailConfirmed"] = said

    make_note()(ALICE, "s")

    assert known(users) == ("new@a.test", "pds.test", None)


@pytest.mark.parametrize(
    "email",
    [
        None,
        7,
        ["a@a.test"],
        "",
        "a",
        "a@",
        "@a.test",
        "a@localhost",
        "a@a..test",
        "a@-a.test",
        "a b@a.test",
        "a@a.test\n",
        "a\u202e@a.test",
        "\u0430@a.test",
        '"a"@a.test',
        "A <a@a.test>",
        "a@a.test,b@a.test",
        "x" * 65 + "@a.test",
        "a@" + "a." * 130 + "test",
    ],
)
def test_answer_without_an_address_is_noted_as_none(make_note, host, users, email):
    host.document["email"] = email

    make_note()(ALICE, "s")

    assert known(users) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (500, SAYS),
        (302, SAYS),
        (403, {"error": "ScopeMissing"}),
        (200, {}),
        (200, {**SAYS, "did": BOB}),
        (200, []),
        (HostUnreachable("pds.test", "down"), None),
        (SessionEnded("revoked"), None),
        (StorageFailed("disk"), None),
    ],
)
def test_answer_that_does_not_say_changes_nothing(
    make_note, host, users, status, document
):
    host.status, host.document = status, document

    make_note()(ALICE, "s")

    assert known(users) == tuple(KNOWN.values())


@pytest.mark.parametrize(
    ("scope", "pds"),
    [
        ("atproto account:email", "https://evil.test"),
        ("atproto transition:generic", "https://pds.test"),
    ],
)
def test_account_that_moved_or_declines_leaves_the_address_behind(
    make_note, host, users, scope, pds
):
    host.status = 500

    make_note(scope, pds)(ALICE, "s")

    assert known(users) == (None, None, None)


def test_nothing_is_asked_where_no_app_is_told(make_note, host, users):
    make_note(is_told=lambda: False)(ALICE, "s")
    make_note(grant_of=lambda _did, _session_id: None)(ALICE, "s")
    make_note("atproto")(ALICE, "s")
    del users.rows[ALICE]
    note = make_note()
    del users.rows[ALICE]
    note(ALICE, "s")

    assert host.asked == []
