"""The grammar of NSIDs."""

from __future__ import annotations

import pytest

from app.atproto.errors import IdentifierInvalid
from app.atproto.syntax.nsid import group_of, is_nsid, parse_nsid
from tests.atproto import vectors


@pytest.mark.parametrize("text", vectors.lines("syntax/nsid_syntax_valid.txt"))
def test_parse_nsid_accepts_every_valid_public_example(text: str) -> None:
    assert parse_nsid(text) == text


@pytest.mark.parametrize("text", vectors.lines("syntax/nsid_syntax_invalid.txt"))
def test_parse_nsid_refuses_every_invalid_public_example(text: str) -> None:
    with pytest.raises(IdentifierInvalid):
        parse_nsid(text)


@pytest.mark.parametrize(
    "text", ["", "*", "app.relay.*", "app.relay.track\n", "app.relay.9track", "a.b"]
)
def test_parse_nsid_refuses_wildcard_and_line_feed(text: str) -> None:
    assert not is_nsid(text)


def test_an_nsid_has_317_characters_at_most() -> None:
    """A domain of 253, a dot, a name of 63."""
    domain = ".".join(["a" * 63] * 3 + ["a" * 61])

    assert is_nsid(f"{domain}.{'a' * 63}")
    assert not is_nsid(f"a.{domain}.{'a' * 63}")


def test_the_group_of_an_nsid_is_all_but_its_name() -> None:
    assert group_of("app.relay.feed.track") == "app.relay.feed"
