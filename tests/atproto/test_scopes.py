"""The scope parameter (requirement 8.1)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.errors import ScopeInvalid
from app.atproto.scopes import parse_scope

from . import vectors


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
def test_a_scope_is_words_each_once_and_in_order(
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
def test_what_rfc_6749_does_not_allow_is_no_scope(text: str) -> None:
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
