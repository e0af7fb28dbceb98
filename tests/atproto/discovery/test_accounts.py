"""Discovery on its own: where a handle, a DID or a server leads."""

from __future__ import annotations

import pytest

from app.atproto import (
    AccountLocation,
    AccountNotFound,
    Deadline,
    Discovery,
    DocumentInvalid,
    HandleMismatch,
    HandleNotFound,
    HostUnreachable,
    HostWithoutOAuth,
    SafeHTTP,
    ServerLocation,
    open_discovery,
    parse_identifier,
)
from app.atproto.http.url_policy import NetworkPolicy
from tests.fakes.world import Person, World, plc_did


@pytest.fixture
def discovery(world: World) -> Discovery:
    http = SafeHTTP(
        policy=NetworkPolicy(),
        user_agent="relay/test",
        adapter=world.network,
        monotonic=world.clock.monotonic,
    )
    return open_discovery(http=http, clock=world.clock, txt=world.dns)


def finds(
    discovery: Discovery, world: World, typed: str
) -> AccountLocation | ServerLocation:
    deadline = Deadline.after(9, world.clock.monotonic)
    return discovery.discover(parse_identifier(typed), deadline=deadline)


def test_a_handle_leads_to_account_host_and_server(
    discovery: Discovery, world: World
) -> None:
    found = finds(discovery, world, "alice.skyhost.social")

    assert (found.did, found.handle) == (world.alice.did, "alice.skyhost.social")
    assert found.pds == "https://pds.skyhost.social"
    assert found.resource is not None
    assert found.resource.resource == found.pds
    assert found.resource.authorization_server == "https://as.skyhost.social"
    assert found.server.issuer == "https://as.skyhost.social"
    assert found.server.par_endpoint == "https://as.skyhost.social/oauth/par"


def test_a_did_leads_to_the_same(discovery: Discovery, world: World) -> None:
    by_did = finds(discovery, world, world.alice.did)

    assert by_did == finds(discovery, world, world.alice.handle)


def test_a_handle_that_does_not_point_back_is_left_out(
    discovery: Discovery, world: World
) -> None:
    world.home("alice.skyhost.social").did = plc_did("another person")

    found = finds(discovery, world, world.alice.did)

    assert (found.did, found.handle) == (world.alice.did, None)


def test_a_host_leads_to_its_server_and_to_no_account(
    discovery: Discovery, world: World
) -> None:
    found = finds(discovery, world, "https://pds.skyhost.social")

    assert (found.did, found.handle) == (None, None)
    assert found.pds == "https://pds.skyhost.social"
    assert found.server.issuer == "https://as.skyhost.social"


def test_an_authorization_server_leads_to_itself(
    discovery: Discovery, world: World
) -> None:
    found = finds(discovery, world, "https://as.skyhost.social")

    assert (found.pds, found.resource) == (None, None)
    assert found.server.issuer == "https://as.skyhost.social"


def test_discover_of_unclaimed_handle_raises_handle_mismatch(
    discovery: Discovery, world: World
) -> None:
    world.publish(Person("alias.skyhost.social", world.bob.did), world.skyhost)

    with pytest.raises(HandleMismatch):
        finds(discovery, world, world.bob.handle)


def test_a_document_that_breaks_the_profile_is_refused(
    discovery: Discovery, world: World
) -> None:
    world.skyhost.pds.document = {"resource": "https://pds.other.social"}

    with pytest.raises(DocumentInvalid):
        finds(discovery, world, world.alice.handle)


def test_an_account_that_moved_is_found_after_its_old_host_failed(
    discovery: Discovery, world: World
) -> None:
    world.skyhost.pds.document = {"resource": "https://pds.other.social"}
    with pytest.raises(DocumentInvalid):
        finds(discovery, world, world.alice.handle)
    world.moves(world.alice, world.garden)

    assert finds(discovery, world, world.alice.handle).pds == "https://rosies.garden"


def test_discover_raises_a_different_error_for_each_failure(
    discovery: Discovery, world: World
) -> None:
    with pytest.raises(AccountNotFound):
        finds(discovery, world, plc_did("unknown"))
    world.home("unknown.skyhost.social")
    with pytest.raises(HandleNotFound):
        finds(discovery, world, "unknown.skyhost.social")
    with pytest.raises(HostWithoutOAuth):
        finds(discovery, world, "https://unknown.skyhost.social")
    world.network.unplug("pds.skyhost.social")
    with pytest.raises(HostUnreachable):
        finds(discovery, world, world.alice.handle)
