"""Who an identifier stands for (requirements 1.20 to 1.22, 1.28 to 1.30)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.errors import (
    AccountNotFound,
    HandleMismatch,
    HandleNotFound,
    HostFailing,
    HostUnreachable,
    UnsafeURL,
)
from app.atproto.http.client import SafeHTTP
from app.atproto.http.types import Deadline
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.identity.resolver import FRESH_FOR, Identity, IdentityResolver
from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Did, Handle
from tests.fakes import faults
from tests.fakes.world import PLC, Person, World

if TYPE_CHECKING:
    from tests.fakes.network import FakeNetwork


class Resolver:
    """An identity resolver on the fake network, with short ways to ask it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cache = MemoryCache(world.clock)
        self.counted: list[str] = []
        self.identities = IdentityResolver(
            http=SafeHTTP(
                policy=NetworkPolicy(),
                user_agent="Latchkey/test (+https://auth.platform.cafe)",
                adapter=world.network,
                monotonic=world.clock.monotonic,
            ),
            txt=world.dns,
            plc_url=f"https://{PLC}",
            cache=self.cache,
            clock=world.clock,
            policy=NetworkPolicy(),
            before_host=self.counted.append,
        )

    def handle(self, text: str, **options: Any) -> Identity:
        return self._resolve(Handle(text), options)

    def did(self, text: str, **options: Any) -> Identity:
        return self._resolve(Did(text), options)

    def _resolve(self, identifier: Handle | Did, options: dict[str, Any]) -> Identity:
        deadline = Deadline.after(9.0, self.world.clock.monotonic)
        return self.identities.resolve(identifier, deadline=deadline, **options)


@pytest.fixture
def resolver(world: World) -> Resolver:
    return Resolver(world)


@pytest.fixture
def alice(world: World) -> Person:
    return world.alice


# --- from a handle ----------------------------------------------------------------


def test_resolve_of_handle_returns_the_account_that_claims_it(
    resolver: Resolver, alice: Person, world: World
) -> None:
    found = resolver.handle(alice.handle)

    assert found == Identity(
        did=Did(alice.did),
        handle=Handle(alice.handle),
        pds=world.skyhost.pds.origin,
        resolved_at=world.clock(),
    )


def test_handle_that_points_to_another_account_is_refused(
    resolver: Resolver, alice: Person, world: World
) -> None:
    """Requirement 1.21: an attacker's domain, a victim's account."""
    world.dns.records["_atproto.attacker.dev"] = [f"did={alice.did}"]

    with pytest.raises(HandleMismatch) as failure:
        resolver.handle("attacker.dev")

    assert (failure.value.handle, failure.value.did) == ("attacker.dev", alice.did)


def test_an_account_that_claims_no_handle_is_not_found_by_one(
    resolver: Resolver, alice: Person, world: World
) -> None:
    world.publish(alice, world.skyhost, alsoKnownAs=[])

    with pytest.raises(HandleMismatch):
        resolver.handle(alice.handle)


def test_only_the_first_claimed_handle_counts(
    resolver: Resolver, alice: Person, world: World
) -> None:
    """Requirement 1.25: a second name of the same account does not resolve to it."""
    world.publish(alice, world.skyhost, also=["at://second.dev"])
    world.dns.records["_atproto.second.dev"] = [f"did={alice.did}"]

    with pytest.raises(HandleMismatch):
        resolver.handle("second.dev")


def test_claimed_handle_in_capitals_matches(
    resolver: Resolver, alice: Person, world: World
) -> None:
    claim = f"at://{alice.handle.upper()}".replace("AT://", "at://")
    world.publish(alice, world.skyhost, alsoKnownAs=[claim])

    assert resolver.handle(alice.handle).handle == alice.handle


def test_an_unknown_handle_is_not_found(resolver: Resolver, world: World) -> None:
    world.home("unknown.skyhost.social")

    with pytest.raises(HandleNotFound):
        resolver.handle("unknown.skyhost.social")


def test_resolve_of_handle_with_unknown_did_raises_account_not_found(
    resolver: Resolver, alice: Person, world: World
) -> None:
    del world.plc.documents[alice.did]

    with pytest.raises(AccountNotFound):
        resolver.handle(alice.handle)


def test_a_well_known_page_may_redirect_on_the_open_network(
    resolver: Resolver, alice: Person, network: FakeNetwork
) -> None:
    """Requirement 1.16."""
    page = f"https://{alice.handle}/.well-known/atproto-did"
    network.serve("www.skyhost.social", resolver.world.home(alice.handle))
    network.lay(
        page, faults.redirect("https://www.skyhost.social/.well-known/atproto-did")
    )

    assert resolver.handle(alice.handle).did == alice.did


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/",
        "http://www.skyhost.social/.well-known/atproto-did",
        "https://localhost/",
        "https://www.skyhost.social:8443/",
        "file:///etc/passwd",
    ],
)
def test_handle_redirect_to_unsafe_url_is_refused(
    resolver: Resolver, alice: Person, network: FakeNetwork, target: str
) -> None:
    """Requirement 1.16: each hop is judged."""
    page = f"https://{alice.handle}/.well-known/atproto-did"
    network.lay(page, faults.redirect(target))

    with pytest.raises(UnsafeURL):
        resolver.handle(alice.handle)

    assert [sent.url for sent in network.sent()] == [page]


def test_handle_redirects_over_the_limit_are_not_followed(
    resolver: Resolver, alice: Person, network: FakeNetwork
) -> None:
    """Requirement 1.16: three at most."""
    page = f"https://{alice.handle}/.well-known/atproto-did"
    network.lay(page, faults.redirect(page))

    with pytest.raises(HostUnreachable):
        resolver.handle(alice.handle)

    assert len(network.sent()) == 4


# --- from a DID -------------------------------------------------------------------


def test_resolve_of_did_returns_its_verified_handle(
    resolver: Resolver, alice: Person
) -> None:
    assert resolver.did(alice.did).handle == alice.handle


def test_a_did_web_is_an_account_like_any_other(
    resolver: Resolver, world: World
) -> None:
    carol = world.settle("carol.dev", world.garden, did="did:web:carol.dev")

    assert resolver.did(carol.did).pds == world.garden.pds.origin
    assert resolver.handle("carol.dev").did == carol.did


def test_handle_of_another_account_is_not_shown(
    resolver: Resolver, alice: Person, world: World
) -> None:
    """Requirements 1.21, 1.22: a claim that does not point back is ignored."""
    world.publish(alice, world.skyhost, alsoKnownAs=[f"at://{world.bob.handle}"])

    found = resolver.did(alice.did)

    assert (found.did, found.handle) == (alice.did, None)


@pytest.mark.parametrize(
    "claim",
    [
        [],
        ["at://handle.invalid"],
        ["at://laptop.local"],
        ["at://nothing.dev"],
        ["https://alice.skyhost.social"],
    ],
)
def test_resolve_of_did_without_working_handle_returns_no_handle(
    resolver: Resolver, alice: Person, world: World, claim: list[str]
) -> None:
    """Requirement 1.22."""
    world.publish(alice, world.skyhost, alsoKnownAs=claim)

    found = resolver.did(alice.did)

    assert (found.did, found.handle) == (alice.did, None)


def test_resolve_of_did_with_slow_handle_ends_at_the_naming_limit(
    resolver: Resolver, alice: Person, world: World, network: FakeNetwork
) -> None:
    """Requirement 1.22: bounded, in a login that has nine seconds."""
    page = f"https://{alice.handle}/.well-known/atproto-did"
    network.lay(page, faults.Waits(world.clock, 60.0))
    began = world.clock()

    assert resolver.did(alice.did).handle is None
    assert world.clock() - began <= 2.0


def test_an_unknown_did_is_not_found(resolver: Resolver) -> None:
    with pytest.raises(AccountNotFound):
        resolver.did("did:plc:" + "a" * 24)


def test_resolve_with_directory_down_raises_host_unreachable(
    resolver: Resolver, alice: Person, network: FakeNetwork
) -> None:
    """Requirement 1.24."""
    network.lay(f"https://{PLC}/{alice.did}", faults.bad_gateway())

    for ask in (resolver.did, resolver.handle):
        with pytest.raises(HostFailing):
            ask(alice.did if ask == resolver.did else alice.handle)


# --- what is remembered -----------------------------------------------------------


def test_identity_is_cached_by_did_and_handle(
    resolver: Resolver, alice: Person, network: FakeNetwork
) -> None:
    found = resolver.handle(alice.handle)
    network.forget()

    assert resolver.handle(alice.handle) == found
    assert resolver.did(alice.did) == found
    assert network.sent() == []


def test_cached_identity_keeps_its_resolved_at(
    resolver: Resolver, alice: Person, world: World
) -> None:
    began = world.clock()
    resolver.handle(alice.handle)
    world.clock.advance(200)

    assert resolver.handle(alice.handle).resolved_at == began


def test_an_account_that_moved_is_found_at_its_new_host_within_ten_minutes(
    resolver: Resolver, alice: Person, world: World
) -> None:
    """Requirement 1.28."""
    resolver.handle(alice.handle)
    world.moves(alice, world.garden)
    assert resolver.handle(alice.handle).pds == world.skyhost.pds.origin

    world.clock.advance(FRESH_FOR)

    assert FRESH_FOR <= 600
    assert resolver.handle(alice.handle).pds == world.garden.pds.origin


def test_resolve_fresh_reads_no_cache_and_writes_it(
    resolver: Resolver, alice: Person, world: World, network: FakeNetwork
) -> None:
    """Requirement 6.14."""
    resolver.handle(alice.handle)
    world.moves(alice, world.garden)

    assert resolver.did(alice.did, fresh=True).pds == world.garden.pds.origin
    network.forget()
    assert resolver.handle(alice.handle).pds == world.garden.pds.origin
    assert network.sent() == []


def test_forgotten_identity_is_resolved_again(
    resolver: Resolver, alice: Person, world: World
) -> None:
    """Requirement 1.29."""
    found = resolver.handle(alice.handle)
    world.moves(alice, world.garden)

    resolver.identities.forget(found.did, found.handle)

    assert resolver.handle(alice.handle).pds == world.garden.pds.origin
    assert resolver.did(alice.did).pds == world.garden.pds.origin


def test_an_account_without_a_handle_can_be_forgotten_too(
    resolver: Resolver, alice: Person, world: World
) -> None:
    world.publish(alice, world.skyhost, alsoKnownAs=[])
    found = resolver.did(alice.did)
    world.publish(alice, world.skyhost)

    resolver.identities.forget(found.did, found.handle)

    assert resolver.did(alice.did).handle == alice.handle


def test_handle_not_found_is_not_cached(resolver: Resolver, world: World) -> None:
    """Requirement 1.20: people mend their DNS and try again."""
    world.home("carol.dev")
    with pytest.raises(HandleNotFound):
        resolver.handle("carol.dev")

    carol = world.settle("carol.dev", world.garden, txt=True)

    assert resolver.handle("carol.dev").did == carol.did


def test_outage_is_not_cached(
    resolver: Resolver, alice: Person, network: FakeNetwork
) -> None:
    network.lay(f"https://{PLC}/{alice.did}", faults.bad_gateway(), times=1)
    with pytest.raises(HostFailing):
        resolver.handle(alice.handle)

    assert resolver.handle(alice.handle).did == alice.did


def test_handle_mismatch_is_not_cached(
    resolver: Resolver, alice: Person, world: World
) -> None:
    world.publish(alice, world.skyhost, alsoKnownAs=[])
    with pytest.raises(HandleMismatch):
        resolver.handle(alice.handle)

    world.publish(alice, world.skyhost)

    assert resolver.handle(alice.handle).did == alice.did


def test_an_unverified_handle_is_tried_again_after_a_minute(
    resolver: Resolver, alice: Person, world: World
) -> None:
    """Requirement 1.20."""
    world.home(alice.handle).did = None
    assert resolver.did(alice.did).handle is None
    world.home(alice.handle).did = alice.did
    assert resolver.did(alice.did).handle is None

    world.clock.advance(61)

    assert resolver.did(alice.did).handle == alice.handle


def entry(resolver: Resolver, alice: Person, **changed: object) -> str:
    kept = resolver.cache.get(f"identity:{alice.handle}")
    assert kept is not None
    return json.dumps({**json.loads(kept), **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"did": "did:plc:short"},
        {"did": 7},
        {"pds": "http://127.0.0.1"},
        {"pds": "https://pds.skyhost.social/x"},
        {"pds": None},
        {"handle": "bob.skyhost.social"},
        {"handle": "not a handle"},
        {"resolved_at": "yesterday"},
    ],
    ids=str,
)
def test_cached_identity_is_validated(
    resolver: Resolver, alice: Person, changed: dict[str, object]
) -> None:
    """The cache may be shared: it is a stranger's hand like any other."""
    truth = resolver.handle(alice.handle)
    key = f"identity:{alice.handle}"
    resolver.cache.put(key, entry(resolver, alice, **changed), lifetime=60)

    assert resolver.handle(alice.handle) == truth


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "{}"])
def test_malformed_cached_identity_is_resolved_again(
    resolver: Resolver, alice: Person, text: str
) -> None:
    resolver.cache.put(f"identity:{alice.handle}", text, lifetime=60)

    assert resolver.handle(alice.handle).did == alice.did


def test_two_holders_of_one_handle_are_two_accounts(
    resolver: Resolver, world: World
) -> None:
    """Requirement 1.30."""
    first = world.settle("shop.dev", world.skyhost, txt=True, https=False)
    assert resolver.handle("shop.dev").did == first.did
    second = world.settle(
        "shop.dev", world.garden, did="did:plc:" + "b" * 24, txt=True, https=False
    )

    assert resolver.handle("shop.dev", fresh=True).did == second.did
    assert resolver.did(first.did, fresh=True).handle is None


# --- who is asked -----------------------------------------------------------------


def test_before_host_is_called_once_per_host(
    resolver: Resolver, alice: Person, world: World
) -> None:
    """Requirement 9.6: the directory is not among them."""
    world.settle("carol.dev", world.garden, did="did:web:carol.dev")
    world.settle("dave.dev", world.garden, did="did:web:dave.systems", txt=True)

    resolver.handle(alice.handle)
    resolver.handle("carol.dev")
    resolver.handle("dave.dev")

    assert resolver.counted == [
        alice.handle,
        "carol.dev",
        "dave.dev",
        "dave.systems",
    ]


# --- the handle of an account, verified now -------------------------------------------


def verified(resolver: Resolver, did: str, *, matters: bool = True) -> Handle | None:
    return resolver.identities.verified_handle(
        Did(did),
        deadline=Deadline.after(9.0, resolver.world.clock.monotonic),
        matters=lambda _handle: matters,
    )


def test_verified_handle_returns_the_handle_that_points_back(
    resolver: Resolver, world: World
) -> None:
    assert verified(resolver, world.alice.did) == world.alice.handle


def test_verified_handle_reads_no_cache(resolver: Resolver, world: World) -> None:
    resolver.did(world.alice.did)
    world.home(world.alice.handle).did = world.bob.did

    assert verified(resolver, world.alice.did) is None


def test_verified_handle_that_is_not_found_returns_none(
    resolver: Resolver, world: World
) -> None:
    world.home(world.alice.handle).did = None

    assert verified(resolver, world.alice.did) is None


def test_verified_handle_with_its_host_down_raises_host_unreachable(
    resolver: Resolver, world: World
) -> None:
    """Not None: that would deny an account a handle that it may have."""
    world.network.unplug(world.alice.handle)

    with pytest.raises(HostUnreachable):
        verified(resolver, world.alice.did)


def test_verified_handle_that_does_not_matter_is_not_looked_up(
    resolver: Resolver, world: World
) -> None:
    assert verified(resolver, world.alice.did, matters=False) is None
    assert resolver.counted == []
