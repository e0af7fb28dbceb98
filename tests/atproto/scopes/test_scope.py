"""The scope parameter: its form (requirement 8.1), and what it allows
(requirements 8.2 to 8.9).
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.errors import ScopeInvalid
from app.atproto.scopes.permission import Permission
from app.atproto.scopes.scope import ScopeSet, parse_scope
from tests.atproto import vectors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("atproto", ("atproto",)),
        ("atproto transition:generic", ("atproto", "transition:generic")),
        ("repo:* atproto repo:*", ("repo:*", "atproto")),
        (
            "atproto rpc?lxm=*&aud=did:web:a.com%23svc",
            ("atproto", "rpc?lxm=*&aud=did:web:a.com%23svc"),
        ),
    ],
)
def test_parse_scope_returns_unique_words_in_order(
    text: str, words: tuple[str, ...]
) -> None:
    assert parse_scope(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " atproto",
        "atproto ",
        "atproto  repo:*",
        "atproto\trepo:*",
        "atproto\n",
        'atproto "',
        "atproto \\",
        "atproto \x7f",
        "atproto r\u00e9po",
    ],
)
def test_parse_scope_refuses_text_that_rfc_6749_forbids(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        parse_scope(text)


@pytest.mark.parametrize("text", vectors.lines("scopes/permission_scopes_valid.txt"))
def test_every_permission_is_one_word_of_a_scope(text: str) -> None:
    assert parse_scope(f"atproto {text}") == ("atproto", text)


@vectors.absent
def test_every_generic_scope_is_one_word_of_a_scope() -> None:
    text = (vectors.FOLDER / "scopes/generic_scopes_valid.json").read_text()
    for case in json.loads(text):
        assert parse_scope(case["scope"]) == (case["scope"],)


VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')


@given(st.lists(st.text(VISIBLE, min_size=1), min_size=1, unique=True))
def test_words_survive_being_written_and_read(words: list[str]) -> None:
    assert parse_scope(" ".join(words)) == tuple(words)


# --- what a scope allows ----------------------------------------------------------

SERVICE = "did:web:api.relay.app%23tracks"

SPELLINGS = [
    "atproto repo:app.relay.track repo:app.relay.list blob:image/* account:email",
    (
        "account:email?action=read blob?accept=image/* atproto"
        " repo?collection=app.relay.list&collection=app.relay.track"
    ),
    (
        "atproto repo?action=delete&action=create&collection=app.relay.track"
        "&collection=app.relay.list repo?collection=app.relay.track"
        "&collection=app.relay.list&action=update blob:image/* blob:image/png"
        " account?attr=email"
    ),
]


@pytest.mark.parametrize("first", SPELLINGS)
@pytest.mark.parametrize("second", SPELLINGS)
def test_spellings_of_one_grant_allow_the_same(first: str, second: str) -> None:
    """Requirement 8.9: split, merged, normalised, in any order."""
    assert ScopeSet.parse(first).is_same_as(ScopeSet.parse(second))
    assert ScopeSet.parse(first).missing(second) == ()


@pytest.mark.parametrize("scope", SPELLINGS)
@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ("atproto", True),
        ("repo:app.relay.track", True),
        ("repo:app.relay.track?action=create", True),
        ("repo?collection=app.relay.track&collection=app.relay.list", True),
        ("repo:app.relay.other?action=create", False),
        ("repo?collection=app.relay.track&collection=app.relay.other", False),
        ("repo:*", False),
        ("blob:image/png", True),
        ("blob:video/mp4", False),
        ("account:email", True),
        ("account:email?action=manage", False),
        ("identity:handle", False),
        (f"rpc:app.relay.play?aud={SERVICE}", False),
        ("transition:generic", False),
    ],
)
def test_scope_allows_granted_permissions_only(
    scope: str, wanted: str, allowed: bool
) -> None:
    assert ScopeSet.parse(scope).allows(wanted) is allowed


def test_allows_takes_permission_objects_and_strings() -> None:
    scope = ScopeSet.parse("atproto repo:app.relay.track?action=create")

    assert scope.allows(Permission.of("repo", "app.relay.track", "create"))
    assert not scope.allows(Permission.of("repo", "app.relay.track", "delete"))


def test_allows_of_invalid_permission_raises_scope_invalid() -> None:
    with pytest.raises(ScopeInvalid):
        ScopeSet.parse("atproto").allows("repo:app.relay.*")


@pytest.mark.parametrize(
    ("granted", "wanted", "missing"),
    [
        ("atproto", "atproto", ()),
        ("atproto", "atproto repo:app.relay.track", ("repo:app.relay.track",)),
        (
            "atproto repo:app.relay.track?action=create",
            "repo:app.relay.track",
            ("repo:app.relay.track?action=delete&action=update",),
        ),
        (
            "atproto repo:app.relay.a",
            "atproto repo?collection=app.relay.a&collection=app.relay.b",
            ("repo:app.relay.b",),
        ),
        ("atproto transition:generic", "atproto repo:app.relay.track", ()),
        ("atproto repo:*", "atproto transition:generic", ("transition:generic",)),
        ("atproto blob:image/png", "atproto blob:image/*", ("blob:image/*",)),
        ("repo:app.relay.a", "atproto", ("atproto",)),
        ("atproto", "blob:*/* blob?accept=*/*", ("blob:*/*",)),
    ],
)
def test_missing_returns_the_words_to_request(
    granted: str, wanted: str, missing: tuple[str, ...]
) -> None:
    assert ScopeSet.parse(granted).missing(wanted) == missing


def test_missing_returns_declined_permissions_only() -> None:
    """Requirement 8.7: the user may untick the email address."""
    granted = ScopeSet.parse("atproto repo:app.relay.track")

    assert granted.missing("atproto account:email repo:app.relay.track") == (
        "account:email",
    )


def test_unknown_word_is_kept_and_allows_nothing() -> None:
    """Requirement 8.8: servers know more, or less, than we do."""
    granted = ScopeSet.parse("atproto space:app.relay.room repo:app.relay.*")

    assert not granted.permissions
    assert not granted.allows("repo:app.relay.track")
    assert granted.missing("space:app.relay.room space:other") == ("space:other",)
    assert granted.is_same_as(ScopeSet.parse(str(granted)))


# --- the coarse words (requirement 8.6) -----------------------------------------------


@pytest.mark.parametrize(
    ("scope", "wanted", "allowed"),
    [
        ("transition:generic", "repo:*", True),
        ("transition:generic", "blob:*/*", True),
        ("transition:generic", f"rpc:app.relay.play?aud={SERVICE}", True),
        ("transition:generic", "rpc:chat.bsky.convo.getLog?aud=*", False),
        ("transition:generic", f"rpc:*?aud={SERVICE}", False),
        ("transition:generic", "account:email", False),
        ("transition:generic", "account:repo", False),
        ("transition:generic", "identity:handle", False),
        ("transition:generic", "include:app.relay.basics", False),
        ("transition:chat.bsky", "rpc:chat.bsky.convo.getLog?aud=*", False),
        (
            "transition:generic transition:chat.bsky",
            "rpc:chat.bsky.convo.getLog?aud=*",
            True,
        ),
        ("transition:generic transition:chat.bsky", f"rpc:*?aud={SERVICE}", True),
        ("transition:email", "account:email", True),
        ("transition:email", "account:email?action=manage", False),
        ("transition:email", "repo:app.relay.track", False),
        ("transition:generic", "transition:generic", True),
    ],
)
def test_transition_words_allow_what_app_passwords_did(
    scope: str, wanted: str, allowed: bool
) -> None:
    assert ScopeSet.parse(f"atproto {scope}").allows(wanted) is allowed


# --- permission sets (requirements 8.4, 8.9) ------------------------------------------


def test_permission_set_may_allow_permissions_of_its_group() -> None:
    """Only the host knows what is in it: nothing is certain, something is possible."""
    granted = ScopeSet.parse("atproto include:app.relay.basics")

    assert not granted.allows("repo:app.relay.track")
    assert granted.may_allow("repo:app.relay.track")
    assert granted.may_allow("repo:app.relay.feed.entry?action=create")
    assert granted.may_allow(f"rpc:app.relay.play?aud={SERVICE}")


@pytest.mark.parametrize(
    "wanted",
    [
        "repo:app.other.track",
        "repo:app.relayed.track",
        "repo:*",
        "blob:image/png",
        "account:email",
        "identity:handle",
        "transition:generic",
    ],
)
def test_permission_set_may_not_allow_permissions_outside_its_group(
    wanted: str,
) -> None:
    granted = ScopeSet.parse("atproto include:app.relay.basics")

    assert not granted.may_allow(wanted)


def test_granted_permission_is_also_possible() -> None:
    granted = ScopeSet.parse("atproto repo:app.relay.track")

    assert granted.may_allow("repo:app.relay.track")
    assert granted.may_allow("atproto")


@pytest.mark.parametrize(
    ("granted", "is_missing"),
    [
        ("atproto include:app.relay.basics", False),
        ("atproto repo:app.relay.track", False),
        (f"atproto rpc?lxm=app.other.a&lxm=app.relay.play&aud={SERVICE}", False),
        ("atproto", True),
        ("atproto repo:app.other.track blob:image/png", True),
        ("atproto repo:*", True),
    ],
)
def test_permission_set_without_granted_permission_of_its_group_is_missing(
    granted: str, is_missing: bool
) -> None:
    missing = ScopeSet.parse(granted).missing("atproto include:app.relay.basics")

    assert missing == (("include:app.relay.basics",) if is_missing else ())


def test_granted_action_allows_no_other_action_of_its_collection():
    granted = ScopeSet.parse("repo:app.relay.track?action=create")

    assert granted.allows("repo:app.relay.track?action=create")
    assert not granted.allows("repo:app.relay.track?action=delete")
    assert not granted.allows("repo:app.relay.track")
    assert granted.missing("repo:app.relay.track") == (
        "repo:app.relay.track?action=delete&action=update",
    )
