"""Bounds of what a worker remembers of strangers, and of what a browser carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask

from app.blueprints.native.login import LONGEST_WAIT
from app.blueprints.services import verify
from app.blueprints.services.verify import MOST_PEOPLE, MOST_RULES, rule_of
from app.flows.login.destination import Destination
from app.flows.people.deletion import Deleted, Revocation
from app.web.pages.outcomes import LONGEST, MOST_HOSTS, Goodbye, Outcome
from app.web.requests import preferred_wait

if TYPE_CHECKING:
    from tests.service import Service


def test_rules_of_proxies_are_remembered_up_to_a_number() -> None:
    for number in range(MOST_RULES + 5):
        rule_of(f"group=g{number}")

    assert rule_of.cache_info().currsize == MOST_RULES


def test_headers_of_people_are_remembered_up_to_a_number() -> None:
    for number in range(MOST_PEOPLE + 5):
        verify._headers_of((f"u{number}", "did:plc:x", "", "s", ""))

    assert verify._headers_of.cache_info().currsize == MOST_PEOPLE


@pytest.mark.parametrize(("wait", "seconds"), [("5", 5), ("31", 30), ("9" * 9, 30)])
def test_wait_that_an_app_prefers_is_bounded(wait: str, seconds: int) -> None:
    with Flask(__name__).test_request_context(headers={"Prefer": f"wait={wait}"}):
        assert preferred_wait(LONGEST_WAIT) == seconds


def test_outcome_with_a_long_way_back_keeps_to_the_bytes_of_a_cookie(
    standing: Service,
) -> None:
    back = "https://app.platform.cafe/" + "a" * 2_000
    long = Destination(return_to=back, identifier="b" * 500)
    outcome = Outcome(kind="error", destination=long)

    with standing.app.test_request_context():
        response = outcome.redirect()

    [cookie] = response.headers.getlist("Set-Cookie")
    assert len(cookie.partition(";")[0]) < LONGEST


def test_goodbye_names_ten_hosts_at_most() -> None:
    deleted = Deleted(
        username="alice",
        mark="",
        held_until=0.0,
        sessions=0,
        grants=0,
        revocations=[
            Revocation(
                issuer=f"https://as{number}.example",
                is_asked=True,
                is_answered=number % 2 == 0,
            )
            for number in range(40)
        ],
    )

    goodbye = Goodbye.of(deleted)

    assert len(goodbye.hosts) == len(goodbye.silent_hosts) == MOST_HOSTS
