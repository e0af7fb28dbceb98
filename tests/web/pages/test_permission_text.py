"""What people read about a permission before they are sent to their host."""

from __future__ import annotations

import pytest

from app.atproto.scopes.permission import rule_of
from app.web.pages.permission_text import ACCOUNT, SAID, in_words

SERVICE = "did:web:api.relay.app%23play"


@pytest.mark.parametrize(
    ("scope", "phrases"),
    [
        ("atproto", []),
        ("", []),
        (
            "repo:app.relay.track",
            ["add, change and delete your public records of app.relay.track"],
        ),
        (
            "repo?collection=app.relay.b&collection=app.relay.a&action=create",
            ["add your public records of app.relay.a and app.relay.b"],
        ),
        ("repo:*?action=delete", ["delete public records of any kind"]),
        ("blob:*/*", ["upload files of any kind"]),
        (
            "blob?accept=image/*&accept=video/mp4",
            ["upload images and files of type video/mp4"],
        ),
        (
            f"rpc:app.relay.play?aud={SERVICE}",
            ["use app.relay.play of did:web:api.relay.app#play in your name"],
        ),
        (
            f"rpc:*?aud={SERVICE}",
            ["use everything of did:web:api.relay.app#play in your name"],
        ),
        (
            "rpc:app.relay.play?aud=*",
            ["use app.relay.play of any service in your name"],
        ),
        ("account:email", ["see your e-mail address"]),
        ("identity:*", ["change your handle and where your account lives"]),
        ("identity:handle", ["change your handle"]),
        ("include:app.relay.auth", ["do what app.relay.auth stands for"]),
        (
            "transition:generic",
            ["do nearly everything that you can do with your account"],
        ),
        ("atproto news:all", ["use the permission news:all"]),
    ],
)
def test_a_permission_is_said_in_plain_words(scope: str, phrases: list[str]) -> None:
    assert in_words(scope) == phrases


def test_every_resource_has_words() -> None:
    assert all(rule_of(resource) for resource in SAID)
    assert set(SAID) == {"repo", "rpc", "blob", "account", "identity", "include"}


@pytest.mark.parametrize(("subject", "action"), ACCOUNT)
def test_every_part_of_an_account_has_words(subject: str, action: str) -> None:
    assert in_words(f"account:{subject}?action={action}") == [ACCOUNT[subject, action]]
