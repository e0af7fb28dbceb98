"""What apps are told of a profile record, read beside the sign-in at the PDS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes import faults
from tests.journeys.people.commands import prints
from tests.journeys.provider.apps import registers
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"
CID = "bafkrei" + "b" * 52
GET_RECORD = "/xrpc/com.atproto.repo.getRecord"


@pytest.fixture
def service(open_service: Callable[..., Service], world: World) -> Service:
    uri = f"at://{world.alice.did}/app.bsky.actor.profile/self"
    world.skyhost.pds.records[uri] = {
        "displayName": "Alice\u202e L.",
        "avatar": {"$type": "blob", "ref": {"$link": CID}},
    }
    return open_service(picture_url="https://cdn.test/{did}/{cid}")


def told(service: Service) -> dict[str, object]:
    [found] = prints(service, "clients", "claims", "app", "alice")
    claims: dict[str, object] = found["claims"]
    return claims


def asks(world: World) -> int:
    return sum(sent.path == GET_RECORD for sent in world.network.log)


@pytest.mark.parametrize("is_newcomer", [True, False])
def test_name_and_picture_come_from_the_profile(
    service: Service, world: World, is_newcomer: bool
) -> None:
    if is_newcomer:
        registers(service, "app")
    browser = signs_in(service, service.browser(), ALICE, username="alice")
    if not is_newcomer:
        assert asks(world) == 0
        registers(service, "app")
        browser.opens_login(prompt="login").types(ALICE).approves()

    claims = told(service)

    assert claims["name"] == "Alice L."
    assert claims["preferred_username"] == "alice"
    assert claims["picture"] == f"https://cdn.test/{world.alice.did}/{CID}"


def test_profile_that_is_out_of_reach_fails_no_sign_in(
    service: Service, world: World
) -> None:
    registers(service, "app")
    world.network.lay(f"{world.skyhost.pds.origin}{GET_RECORD}", faults.Refuses())
    browser = service.browser()

    browser.signs_in(ALICE, username="alice")

    assert browser.is_signed_in()
    assert told(service)["name"] == "alice"
    assert "picture" not in told(service)
