"""Who may join: reading SIGNUP_ALLOW, and judging newcomers by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.atproto.errors import HostUnreachable
from app.atproto.http.types import Deadline
from app.flows.errors import InvitationEnded, NotAMember
from app.flows.people.signup.admission import SignupRule
from tests.stores.samples import ALICE, BOB

HANDLE = "alice.example.org"


@pytest.fixture
def judge(admission):
    """Judge Alice by a rule; with an invitation where one is named."""

    def call(rule, *, invitation=None):
        judging = replace(admission, rule=SignupRule.parse(rule))
        return judging.judge(ALICE, invitation=invitation, deadline=Deadline.after(5))

    return call


@pytest.fixture
def expect(admission):
    """Foresee the judgement of Alice, whose handle this login has verified."""

    def call(rule, *, handle=HANDLE, invitation=None):
        judging = replace(admission, rule=SignupRule.parse(rule))
        judging.expect(ALICE, handle, invitation=invitation, deadline=Deadline.after(5))

    return call


# --- reading the rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("everyone", SignupRule(everyone=True)),
        ("none", SignupRule()),
        ("invited", SignupRule(invited=True)),
        (
            f"{ALICE}, @Alice.Example.org,*.Example.com,invited",
            SignupRule(
                invited=True,
                dids=frozenset({ALICE}),
                handles=frozenset({"alice.example.org"}),
                domains=("example.com",),
            ),
        ),
    ],
)
def test_parse_reads_each_kind_of_entry(text, rule):
    assert SignupRule.parse(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all",
        "everyone,invited",
        "none,invited",
        "invited,,@alice.example.org",
        "alice.example.org",
        "@alice",
        "@",
        "*.",
        "*.*.example.org",
        "*example.org",
        "did:key:zabc",
        "did:plc:short",
    ],
)
def test_parse_of_a_wrong_entry_raises_value_error(text):
    with pytest.raises(ValueError, match="'"):
        SignupRule.parse(text)


@pytest.mark.parametrize(
    ("handle", "is_named"),
    [
        ("a.example.org", True),
        ("a.b.example.org", True),
        ("example.org", False),
        ("aexample.org", False),
        ("example.org.evil.net", False),
        (None, False),
    ],
)
def test_rule_of_a_domain_names_the_handles_below_it(handle, is_named):
    assert SignupRule.parse("*.example.org").names(ALICE, handle) is is_named


# --- judging


@pytest.mark.parametrize("rule", ["everyone", ALICE])
def test_judge_of_a_named_did_asks_no_host(judge, client, rule):
    assert judge(rule) is None
    assert client.looked_up == []


def test_judge_looks_the_handle_up_and_admits_it(judge, client):
    client.handles[ALICE] = HANDLE

    assert judge("*.example.org") is None
    assert client.looked_up == [HANDLE]


def test_judge_of_a_handle_that_the_rule_does_not_name_asks_no_host(judge, client):
    client.handles[ALICE] = "alice.example.com"

    with pytest.raises(NotAMember):
        judge("*.example.org")
    assert client.looked_up == []


@pytest.mark.parametrize("rule", ["none", BOB, "*.example.org", "invited"])
def test_judge_of_an_account_that_is_not_named_raises_not_a_member(judge, rule):
    with pytest.raises(NotAMember):
        judge(rule)


def test_judge_while_the_host_is_down_raises_that(judge, client):
    client.handles[ALICE], client.failure = HANDLE, HostUnreachable("example.org", "x")

    with pytest.raises(HostUnreachable):
        judge("*.example.org")


def test_judge_while_the_host_is_down_takes_an_invitation(judge, client, invitations):
    client.handles[ALICE], client.failure = HANDLE, HostUnreachable("example.org", "x")
    invitations.left["secret"] = 1

    assert judge("*.example.org,invited", invitation="secret") == "secret"


def test_judge_returns_the_invitation_that_is_to_be_used(judge, invitations):
    invitations.left["secret"] = 1

    assert judge("invited", invitation="secret") == "secret"


def test_judge_of_a_named_handle_uses_no_invitation(judge, client, invitations):
    client.handles[ALICE] = HANDLE
    invitations.left["secret"] = 1

    assert judge("*.example.org,invited", invitation="secret") is None


@pytest.mark.parametrize(("rule", "left"), [("invited", 0), (BOB, 1)])
def test_judge_with_an_invitation_that_does_not_count_raises_not_a_member(
    judge, invitations, rule, left
):
    invitations.left["secret"] = left

    with pytest.raises(NotAMember):
        judge(rule, invitation="secret")


# --- foreseeing


def test_expect_of_a_handle_that_was_just_verified_asks_no_host(expect, client):
    expect("*.example.org")

    assert client.looked_up == []


def test_expect_of_a_handle_that_was_not_verified_looks_it_up(expect, client):
    client.handles[ALICE] = HANDLE

    expect("*.example.org", handle=None)

    assert client.looked_up == [HANDLE]


def test_expect_of_an_account_that_is_not_named_raises_not_a_member(expect):
    with pytest.raises(NotAMember):
        expect("@bob.example.org")


def test_open_invitation_without_a_use_left_raises_invitation_ended(
    admission, invitations
):
    invitations.left["secret"] = 1
    admission.open_invitation("secret")

    with pytest.raises(InvitationEnded):
        admission.open_invitation("another")
