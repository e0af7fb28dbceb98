"""`audit`: what happened, to whom, since when; and how long that is kept."""

from __future__ import annotations

import json

import pytest

from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.journeys.people.commands import events, prints, runs
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
DAY = 86_400


@pytest.fixture
def people(service: Service, browser: Browser) -> None:
    signs_in(service, browser, ALICE, username="alice")
    signs_in(service, service.browser(), BOB, username="bobby")


def names(found: list[dict[str, object]]) -> list[object]:
    return [one["event"] for one in found]


def test_audit_prints_events_with_who_and_why(
    service: Service, people: None, world: World
) -> None:
    world.clock.advance(1)  # events of one moment have no order
    runs(service, "users", "disable", "alice", "--yes", "--reason", "spam")

    found = prints(service, "audit", "--of", "alice")

    assert sorted(names(found)[:2]) == ["signed_in", "signed_up"]
    assert sorted(names(found)[2:]) == ["account_disabled", "session_ended"]
    assert {one["did"] for one in found} == {world.alice.did}
    [disabled] = [one for one in found if one["event"] == "account_disabled"]
    assert disabled["detail"] == {"operator": "carol", "reason": "spam"}
    assert disabled["time"].endswith("Z")


def test_audit_of_one_event_name_leaves_the_others_out(
    service: Service, people: None
) -> None:
    found = prints(service, "audit", "--event", "signed_up")

    assert names(found) == ["signed_up", "signed_up"]


def test_audit_since_leaves_older_events_out(
    service: Service, people: None, world: World
) -> None:
    world.clock.advance(DAY + 1)

    assert prints(service, "audit", "--of", "alice") == []
    assert len(prints(service, "audit", "--of", "alice", "--since", "2d")) == 2


def test_audit_finds_a_deleted_account_by_its_mark_alone(
    service: Service, people: None, world: World
) -> None:
    world.clock.advance(1)  # events of one moment have no order
    [done] = prints(service, "users", "delete", "alice", "--yes")

    found = prints(service, "audit", "--of", done["audit_mark"])

    assert names(found)[-1] == "account_deleted"
    assert prints(service, "audit", "--of", world.alice.did) == []
    assert all(one["sid"] is None for one in found)


@pytest.mark.parametrize("since", ["", "24", "0h", "yesterday"])
def test_audit_since_an_impossible_time_is_wrong_usage(
    service: Service, since: str
) -> None:
    assert runs(service, "audit", "--since", since).exit_code == 2


def test_audit_of_an_unknown_account_is_refused(service: Service) -> None:
    assert runs(service, "audit", "--of", "carol").exit_code == 1


def test_sweep_deletes_audit_events_after_audit_lifetime(
    open_service: object, world: World
) -> None:
    service = open_service(audit_lifetime=7 * DAY)  # type: ignore[operator]
    signs_in(service, service.browser(), ALICE, username="alice")
    world.clock.advance(6 * DAY)
    runs(service, "sweep")
    assert len(events(service, "signed_up")) == 1
    world.clock.advance(DAY)

    swept = json.loads(runs(service, "sweep").stdout.splitlines()[-1])

    assert swept["audit_events"] >= 2
    assert events(service, "signed_up") == []
