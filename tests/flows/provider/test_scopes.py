"""Scopes and their claims."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.atproto.syntax.grammar import Did
from app.config import is_host_of
from app.flows.provider.scopes import SCOPES, ClaimRules, parse_scope
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, user

RULES = ClaimRules(
    email_domain="people.test", profile_url="https://bsky.test/profile/{did}"
)


def claims(scope: str, rules: ClaimRules = RULES, **changes: Any) -> dict[str, Any]:
    given = {
        "groups": ("admin", "staff"),
        "email": "none",
        "handle": "alice.test",
        "handle_checked_at": NOON + 0.5,
    } | changes
    return rules.claims(user(did=ALICE, username="alice"), scope, **given)


def test_openid_tells_the_did_alone() -> None:
    assert claims("openid") == {"sub": ALICE}


def test_profile_tells_username_and_verified_handle() -> None:
    assert claims("openid profile") == {
        "sub": ALICE,
        "preferred_username": "alice",
        "name": "alice",
        "profile": f"https://bsky.test/profile/{ALICE}",
        "updated_at": NOON,
        "handle": "alice.test",
        "handle_verified_at": NOON,
    }


def test_profile_without_handle_and_page_leaves_both_out() -> None:
    rules = ClaimRules(email_domain=None, profile_url=None)

    told = claims("openid profile", rules, handle=None)

    assert set(told) == {"sub", "preferred_username", "name", "updated_at"}


def test_picture_is_made_from_the_template_and_the_cid() -> None:
    rules = ClaimRules(
        email_domain=None,
        profile_url=None,
        picture_url="https://cdn.test/{did}/{cid}@jpeg",
    )
    account = user(display_name="Alice L.", avatar_cid="bafkrei", profile_checked_at=9)
    given = {"groups": (), "email": "none", "handle": None, "handle_checked_at": NOON}

    told = rules.claims(account, "openid profile", **given)

    assert told["picture"] == f"https://cdn.test/{ALICE}/bafkrei@jpeg"
    assert (told["name"], told["preferred_username"]) == ("Alice L.", "alice")
    assert "picture" not in RULES.claims(account, "openid profile", **given)
    assert "picture" not in claims("openid profile", rules)


def test_groups_are_a_list_also_when_there_are_none() -> None:
    assert claims("openid groups")["groups"] == ["admin", "staff"]
    assert claims("openid groups", groups=())["groups"] == []


def test_email_placeholder_comes_from_the_did_and_is_not_said_to_be_verified() -> None:
    told = claims("openid email profile", email="placeholder")
    renamed = RULES.claims(
        user(did=ALICE, username="liddell"),
        "openid email",
        groups=(),
        email="placeholder",
        handle=None,
        handle_checked_at=NOON,
    )

    local, _, domain = told["email"].partition("@")
    assert (len(local), domain) == (32, "people.test")
    assert "alice" not in told["email"]
    assert renamed["email"] == told["email"]
    assert "email_verified" not in told
    assert "email" not in claims("openid email")


@pytest.mark.parametrize(
    ("changes", "is_verified"),
    [
        ({}, True),
        ({"email_host": "evil.test"}, False),
        ({"email_host": "pds.test.evil.test"}, False),
        ({"email_confirmed_at": None}, False),
    ],
)
def test_email_of_the_account_is_verified_by_a_trusted_pds_alone(
    changes: dict[str, Any], is_verified: bool
) -> None:
    trusted = ("pds.test", "*.hosts.test")
    rules = replace(RULES, is_trusted=lambda host: is_host_of(host, trusted))
    known = {"email": "a@a.test", "email_host": "pds.test", "email_confirmed_at": NOON}
    account = user(**(known | changes))
    given = {"groups": (), "handle": None, "handle_checked_at": NOON}

    told = rules.claims(account, "openid email", email="account", **given)

    verified = {"email_verified": True} if is_verified else {}
    assert told == {"sub": ALICE, "email": "a@a.test", **verified}
    assert "email_verified" not in RULES.claims(
        account, "openid email", email="account", **given
    )
    for email in ("none", "placeholder"):
        other = rules.claims(account, "openid email", email=email, **given)
        assert other.get("email") != "a@a.test"
        assert "email_verified" not in other
    assert (
        rules.claims(account, "openid profile", email="account", **given).keys()
        & {
            "email",
            "email_verified",
        }
        == set()
    )


def test_claims_refuses_a_did_that_is_too_long_for_sub() -> None:
    long = Did("did:web:" + "a" * 248)

    with pytest.raises(ValueError, match="255"):
        RULES.claims(
            user(did=long),
            "openid",
            groups=(),
            email="none",
            handle=None,
            handle_checked_at=NOON,
        )


def test_parse_scope_puts_known_words_in_order_once() -> None:
    assert parse_scope(["profile openid", "groups  profile"]) == "openid profile groups"
    assert parse_scope([" ".join(reversed(SCOPES))]) == " ".join(SCOPES)


@pytest.mark.parametrize("words", [[], ["profile"], ["openid Profile"], ["openid x"]])
def test_parse_scope_refuses(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"scope"):
        parse_scope(words)
