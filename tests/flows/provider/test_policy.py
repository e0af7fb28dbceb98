"""Policies: reading WHO, and judging an account by it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.atproto.errors import AccountNotFound, HostUnreachable
from app.atproto.http.types import Deadline
from app.atproto.stores.memory import MemoryCache
from app.config import is_public_suffix
from app.flows.errors import PolicyNotJudged
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.ports import User
from app.flows.provider.policy import JudgePolicy, Verdict, checked_entry
from tests.fakes.clock import NOON, FakeClock
from tests.stores.samples import ALICE, BOB, user

FRESH = 3_600.0


@dataclass
class Handles:
    """What the network says of handles now."""

    handle: str | None = None
    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def verified_handle(self, did: str, *, deadline: Deadline, matters: Any) -> Any:
        self.asked.append(did)
        if self.failure is not None:
            raise self.failure
        return self.handle if self.handle and matters(self.handle) else None


class Groups:
    def of(self, did: str) -> tuple[str, ...]:
        return ("admin", "staff") if did == ALICE else ()


def judge_of(handles: Handles, clock: FakeClock, *, at_once: int = 1) -> JudgePolicy:
    return JudgePolicy(
        groups=Groups(),
        handles=handles,
        recent=MemoryCache(clock, max_entries=9),
        places=ConcurrencyLimit("service", total=at_once, retry_after=5),
        clock=clock,
        handle_fresh=FRESH,
    )


def alice_with(**changes: Any) -> User:
    return user(
        **{"did": ALICE, "handle": "alice.example.org", "handle_checked_at": NOON}
        | changes
    )


def judged(allow: list[str], handles: Handles | None = None, **changes: Any) -> Verdict:
    handles = handles or Handles(failure=AssertionError("was looked up"))
    judge = judge_of(handles, FakeClock())
    return judge(allow, alice_with(**changes), deadline=Deadline.after(5))


@pytest.mark.parametrize(
    ("allow", "why"),
    [
        (["everyone"], "everyone"),
        (["group:none", "group:staff"], "group:staff"),
        ([BOB, ALICE], "its DID"),
        ([BOB, "*.example.org"], "the handle @alice.example.org"),
        (["*.org", "group:none"], "the handle @alice.example.org"),
    ],
)
def test_account_that_is_named_is_allowed(allow: list[str], why: str) -> None:
    verdict = judged(allow)

    assert (verdict.is_allowed, verdict.why) == (True, why)


@pytest.mark.parametrize(
    "allow",
    [
        [],
        [BOB],
        ["group:none"],
        ["*.alice.example.org"],
        ["*.ample.org"],
        ["*.xample.org"],
        ["*.example.com"],
    ],
)
def test_account_that_is_not_named_is_refused(allow: list[str]) -> None:
    assert not judged(allow).is_allowed


def test_handle_that_is_the_domain_itself_is_refused() -> None:
    assert not judged(["*.example.org"], handle="example.org").is_allowed


def test_old_handle_is_looked_up_again_and_the_new_one_counts() -> None:
    handles = Handles(handle="alice.elsewhere.org")
    old = {"handle_checked_at": NOON - FRESH - 1}

    assert not judged(["*.example.org"], handles, **old).is_allowed
    assert handles.asked == [ALICE]
    handles.handle = "new.example.org"
    verdict = judged(["*.example.org"], handles, **old)
    assert verdict.is_allowed
    assert (verdict.handle, verdict.handle_checked_at) == ("new.example.org", NOON)


def test_handle_of_an_hour_ago_is_fresh() -> None:
    assert judged(["*.example.org"], handle_checked_at=NOON - FRESH).is_allowed


def test_handle_that_is_out_of_reach_is_not_judged() -> None:
    handles = Handles(failure=HostUnreachable("alice.example.org", "refused"))

    with pytest.raises(PolicyNotJudged, match="cannot be verified"):
        judged(["*.example.org"], handles, handle_checked_at=0)


def test_account_that_is_gone_has_no_handle() -> None:
    handles = Handles(failure=AccountNotFound(ALICE))

    assert not judged(["*.example.org"], handles, handle_checked_at=0).is_allowed


def test_old_handle_that_cannot_decide_is_not_looked_up() -> None:
    old = {"handle_checked_at": 0}

    assert judged(["group:admin", "*.example.org"], **old).is_allowed
    assert not judged(["group:none"], **old).is_allowed


@pytest.mark.parametrize(
    "handles",
    [
        Handles(handle="alice.example.org"),
        Handles(failure=HostUnreachable("alice.example.org", "refused")),
    ],
)
def test_handle_is_looked_up_once_in_ten_seconds(handles: Handles) -> None:
    """However often an app asks, and however slow the host of the account is."""
    clock = FakeClock()
    judge, old = judge_of(handles, clock), alice_with(handle_checked_at=0)

    def ask(*allow: str) -> None:
        with suppress(PolicyNotJudged):
            assert judge(allow, old, deadline=Deadline.after(5)).is_allowed

    for _ in range(3):
        ask("*.example.org")
    assert len(handles.asked) == 1
    ask("*.example.org", "*.example.com")  # `matters` is another one
    assert len(handles.asked) == 2
    clock.advance(10)
    ask("*.example.org")
    assert len(handles.asked) == 3


def test_policy_is_not_judged_while_too_many_handles_are_looked_up() -> None:
    handles = Handles(handle="alice.example.org")
    judge, old = judge_of(handles, FakeClock()), alice_with(handle_checked_at=0)

    with judge.places.hold(), pytest.raises(PolicyNotJudged, match="too many"):
        judge(["*.example.org"], old, deadline=Deadline.after(5))
    assert judge(["*.example.org"], old, deadline=Deadline.after(5)).is_allowed


@pytest.mark.parametrize(
    ("entry", "stored"),
    [
        ("everyone", "everyone"),
        ("group:staff", "group:staff"),
        (ALICE, ALICE),
        ("*.Example.ORG", "*.example.org"),
        ("*.people.example.co.uk", "*.people.example.co.uk"),
    ],
)
def test_checked_entry_returns_what_is_stored(entry: str, stored: str) -> None:
    assert checked(entry) == stored


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "none",
        "Everyone",
        "alice",
        "group:",
        "group:Staff",
        "group:a,b",
        "did:key:z6Mk",
        "did:plc:short",
        "did:web:localhost",
        "*.",
        "*",
        "*.*.example.org",
        "*.exa mple.org",
    ],
)
def test_checked_entry_refuses(entry: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        checked(entry)


@pytest.mark.parametrize("suffix", ["com", "co.uk", "github.io", "internal"])
def test_checked_entry_refuses_a_public_suffix(suffix: str) -> None:
    with pytest.raises(ValueError, match="strangers register names below"):
        checked(f"*.{suffix}")


def checked(entry: str) -> str:
    return checked_entry(entry, is_public_suffix=is_public_suffix, allow_test=False)
