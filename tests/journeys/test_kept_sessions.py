"""The session at the host, while a person is signed in here and after it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.atproto.errors import SessionEnded
from app.atproto.http.types import Deadline
from tests.fakes.pds import GET_SESSION
from tests.signed import signs_in

if TYPE_CHECKING:
    from app.atproto.session.session import LiveSession
    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def restored(service: Service, index: int = 0) -> LiveSession:
    """Return what the service keeps for the person, ready for a call."""
    rows = service.rows("SELECT did, session_id FROM oauth_sessions ORDER BY rowid")
    return service.client.restore(*rows[index])


def calls(service: Service, live: LiveSession) -> str:
    deadline = Deadline.after(10.0, service.world.clock.monotonic)
    return str(live.request("GET", GET_SESSION, deadline=deadline).json_object()["did"])


def test_the_service_keeps_the_session_at_the_host_for_weeks(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 7.12: refreshed when it is used, by the service's own stores and
    keys.
    """
    for _ in range(3):
        world.clock.advance(5 * 86_400)
        assert calls(service, restored(service)) == world.alice.did

    (grant,) = world.skyhost.server.grants.alive(world.alice.did)
    assert len(grant.spent) == 3


def test_the_end_of_the_session_at_the_host_is_not_the_end_here(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirements 7.18, 7.21: the person stays signed in, and may sign in again."""
    live = restored(service)
    world.skyhost.server.grants.all[0].alive = False
    with pytest.raises(SessionEnded):
        calls(service, live)

    assert alice.visits("/auth/session").status == 200
    assert service.rows("SELECT username FROM users") == [("alice",)]
    assert alice.visits("/auth/login?prompt=login").status == 200


def test_who_moved_signs_in_at_the_new_host_as_the_same_person(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 7.16: the platform account stays."""
    live = restored(service)
    world.moves(world.alice, world.garden)
    world.clock.advance(3600)
    with pytest.raises(SessionEnded) as ended:
        calls(service, live)
    other_device = service.browser()

    other_device.signs_in(ALICE)

    assert ended.value.reason == "moved"
    assert alice.visits("/auth/session").status == 200
    assert service.rows("SELECT username FROM users") == [("alice",)]
    assert calls(service, restored(service)) == world.alice.did


def test_a_second_device_is_a_second_session(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 6.19: the end of one leaves the other."""
    signs_in(service, service.browser(), ALICE)
    first, second = restored(service, 0), restored(service, 1)
    alice.signs_out()

    with pytest.raises(SessionEnded):
        calls(service, first)
    assert calls(service, second) == world.alice.did


def test_a_session_that_is_replaced_is_revoked_at_its_host(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 6.17: on the same device, after the new one is there."""
    alice.signs_in(ALICE, prompt="login")

    first, second = world.skyhost.server.grants.all
    assert (first.alive, second.alive) == (False, True)
    assert calls(service, restored(service)) == world.alice.did
