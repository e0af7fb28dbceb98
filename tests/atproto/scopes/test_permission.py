"""One permission: how it is written, and what it covers (requirements 8.2 and 8.3)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.errors import ScopeInvalid
from app.atproto.scopes.grammar import parse_word
from app.atproto.scopes.permission import Permission
from tests.atproto import vectors

SERVICE = "did:web:api.relay.app#tracks"


# --- the form of a word -----------------------------------------------------------


@vectors.absent
def test_parse_word_splits_every_public_example() -> None:
    text = (vectors.FOLDER / "scopes/generic_scopes_valid.json").read_text()
    for case in json.loads(text):
        word = parse_word(case["scope"])

        assert {
            "resource": word.resource,
            "positional": word.positional or "",
            "params": {name: list(values) for name, values in word.parameters.items()},
        } == case["generic"], case["scope"]


@pytest.mark.parametrize("text", vectors.lines("scopes/generic_scopes_invalid.txt"))
def test_parse_word_of_non_ascii_text_is_refused(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        parse_word(text)


@pytest.mark.parametrize(
    "text", ["", ":x", "?x=y", "re source:x", "repo:%", "repo:%4", "r:%zz", "r?x=%ff"]
)
def test_parse_word_without_resource_or_with_bad_escape_is_refused(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        parse_word(text)


def test_parse_word_keeps_a_plus() -> None:
    """Not a space, as it would be in a form: no value of ours has one in it."""
    assert parse_word("blob?accept=image/svg+xml").parameters == {
        "accept": ("image/svg+xml",)
    }


# --- which permissions there are --------------------------------------------------


@pytest.mark.parametrize("text", vectors.lines("scopes/permission_scopes_valid.txt"))
def test_permission_parses_every_valid_public_example(text: str) -> None:
    permission = Permission.parse(text)

    assert Permission.parse(str(permission)) == permission


@pytest.mark.parametrize("text", vectors.lines("scopes/permission_scopes_invalid.txt"))
def test_permission_refuses_every_invalid_public_example(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        Permission.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("space:app.relay.room", "no resource space"),
        ("repo:app.relay.*", "no collection"),
        ("repo:app.relay.track?lxm=app.relay.play", "repo has no lxm"),
        ("repo:app.relay.track?collection=app.relay.list", "collection twice"),
        ("repo:?collection=app.relay.list", "collection twice"),
        ("rpc:app.relay.play", "aud is missing"),
        ("rpc:app.relay.play?aud=*&aud=*", "aud is given more than once"),
        ("rpc:app.relay.play?aud=did:web:api.relay.app", "no aud"),
        ("rpc:app.relay.play?aud=did:web:api.relay.app%23", "no aud"),
        ("rpc:app.relay.play?aud=did:key:z6Mk%23tracks", "no aud"),
        ("rpc?lxm=app.relay.play&lxm=*&aud=*", "every method of every service"),
        ("account?attr=email&attr=repo", "attr is given more than once"),
        ("account:email?action=read&action=manage", "action is given more than once"),
        ("include:app.relay.basics?aud=*", "no aud"),
        ("blob:image/*x", "no accept"),
    ],
)
def test_refused_permission_names_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ScopeInvalid, match=reason):
        Permission.parse(text)


def test_refusal_message_is_one_printable_line() -> None:
    with pytest.raises(ScopeInvalid) as caught:
        Permission.parse("repo:a%0Ab")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("repo:app.relay.track", "repo?collection=app.relay.track"),
        (
            "repo:app.relay.track",
            "repo:app.relay.track?action=delete&action=update&action=create",
        ),
        (
            "repo?collection=app.relay.a&collection=app.relay.b",
            "repo?collection=app.relay.b&collection=app.relay.a&collection=app.relay.b",
        ),
        ("repo:*", "repo?collection=app.relay.a&collection=*"),
        ("account:email", "account?attr=email&action=read"),
        ("identity:*", "identity:%2A?"),
        (f"rpc:app.relay.play?aud={SERVICE}", f"rpc?aud={SERVICE}&lxm=app.relay.play"),
        (
            "rpc:app.relay.play?aud=did:web:api.relay.app%23tracks",
            "rpc:app.relay.play?aud=did%3Aweb%3Aapi.relay.app#tracks",
        ),
    ],
)
def test_spellings_of_one_permission_are_equal(first: str, second: str) -> None:
    assert Permission.parse(first) == Permission.parse(second)


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (Permission.of("repo", "app.relay.track"), "repo:app.relay.track"),
        (
            Permission.of("repo", "app.relay.track", "create"),
            "repo:app.relay.track?action=create",
        ),
        (
            Permission.of("rpc", "app.relay.play", SERVICE),
            "rpc:app.relay.play?aud=did:web:api.relay.app%23tracks",
        ),
        (Permission.of("blob", "image/svg+xml"), "blob:image/svg+xml"),
        (
            Permission.parse("blob?accept=image/svg+xml&accept=text/html"),
            "blob?accept=image/svg%2Bxml&accept=text/html",
        ),
        (Permission.of("account", "repo", "manage"), "account:repo?action=manage"),
        (Permission.of("identity", "handle"), "identity:handle"),
        (Permission.of("include", "app.relay.basics"), "include:app.relay.basics"),
    ],
)
def test_permission_is_written_in_the_form_servers_read(
    permission: Permission, text: str
) -> None:
    """Requirement 8.2: a number sign is always escaped."""
    assert str(permission) == text
    assert Permission.parse(text) == permission


@pytest.mark.parametrize(
    "wrong",
    [
        ("repo", "app.relay.track", "read"),
        ("repo", "", None),
        ("rpc", "app.relay.play", None),
        ("blob", "image/png", "create"),
        ("transition", "generic", None),
    ],
)
def test_permission_of_invalid_values_is_refused(
    wrong: tuple[str, str, str | None],
) -> None:
    with pytest.raises(ScopeInvalid):
        Permission.of(*wrong)


# --- what covers what -------------------------------------------------------------


@pytest.mark.parametrize(
    ("granted", "wanted"),
    [
        ("repo:*", "repo:app.relay.track"),
        ("repo:app.relay.track", "repo:app.relay.track?action=delete"),
        ("repo:*?action=create", "repo:app.relay.track?action=create"),
        (
            "repo?collection=app.relay.a&collection=app.relay.b",
            "repo:app.relay.b?action=update",
        ),
        ("rpc:app.relay.play?aud=*", f"rpc:app.relay.play?aud={SERVICE}"),
        (f"rpc:*?aud={SERVICE}", f"rpc:app.relay.play?aud={SERVICE}"),
        ("blob:*/*", "blob:image/png"),
        ("blob:image/*", "blob:image/png"),
        ("blob:image/*", "blob:image/*"),
        ("account:email?action=manage", "account:email"),
        ("identity:*", "identity:handle"),
        ("include:app.relay.basics", "include:app.relay.basics"),
    ],
)
def test_wider_permission_covers_narrower_one(granted: str, wanted: str) -> None:
    assert Permission.parse(granted).covers(Permission.parse(wanted))


@pytest.mark.parametrize(
    ("granted", "wanted"),
    [
        ("repo:app.relay.track", "repo:*"),
        ("repo:app.relay.track", "repo:app.relay.tracks"),
        ("repo:app.relay.track", "repo:app.relay.Track"),
        ("repo:app.relay.track?action=create", "repo:app.relay.track"),
        ("repo:*?action=create", "repo:app.relay.track?action=delete"),
        (f"rpc:app.relay.play?aud={SERVICE}", "rpc:app.relay.play?aud=*"),
        (f"rpc:app.relay.play?aud={SERVICE}", f"rpc:*?aud={SERVICE}"),
        (f"rpc:*?aud={SERVICE}", f"rpc:app.relay.play?aud={SERVICE}2"),
        ("blob:image/*", "blob:*/*"),
        ("blob:image/*", "blob:images/png"),
        ("blob:image/png", "blob:image/*"),
        ("account:email", "account:email?action=manage"),
        ("account:email?action=manage", "account:repo"),
        ("identity:handle", "identity:*"),
        ("identity:*", "account:email"),
        ("include:app.relay.basics", f"include:app.relay.basics?aud={SERVICE}"),
        ("include:app.relay.basics", "repo:app.relay.track"),
    ],
)
def test_permission_does_not_cover_wider_or_other_one(
    granted: str, wanted: str
) -> None:
    assert not Permission.parse(granted).covers(Permission.parse(wanted))


COLLECTIONS = st.sampled_from(["app.relay.a", "app.relay.b", "app.relay.c", "*"])
ACTIONS = st.sampled_from(["create", "update", "delete"])
WRITES = st.builds(
    lambda subjects, details: Permission.parse(
        "repo?"
        + "&".join(
            [f"collection={subject}" for subject in subjects]
            + [f"action={detail}" for detail in details]
        )
    ),
    st.lists(COLLECTIONS, min_size=1),
    st.lists(ACTIONS, min_size=1),
)


@given(WRITES, WRITES)
def test_a_permission_covers_another_when_it_covers_each_of_its_parts(
    granted: Permission, wanted: Permission
) -> None:
    each = [granted.covers(part) for part in wanted.parts()]

    assert granted.covers(wanted) == all(each)


@given(WRITES)
def test_a_permission_survives_being_written_and_read(permission: Permission) -> None:
    assert Permission.parse(str(permission)) == permission
    assert permission.covers(permission)
