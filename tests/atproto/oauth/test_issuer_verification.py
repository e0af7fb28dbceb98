"""Who signed in: the subject, and whose server may say so (requirements 6.11 to
6.14).
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest

from app.atproto.discovery.accounts import AccountLocation
from app.atproto.errors import (
    HostUnreachable,
    HostWithoutOAuth,
    IssuerMismatch,
    SubjectMismatch,
)
from app.atproto.oauth.issuer_verification import MAX_VERIFICATIONS, IssuerVerifier
from app.atproto.records import AuthRequest
from tests.atproto.wired import Library
from tests.fakes import faults
from tests.fakes.network import FakeNetwork, Fault, Sent
from tests.fakes.world import World

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"


def test_another_account_than_the_named_one_is_refused(
    library: Library, world: World
) -> None:
    """Requirements 6.11, 6.15: picked on the consent page; its tokens are revoked."""
    url = library.approved(ALICE, account=BOB)

    with pytest.raises(SubjectMismatch):
        library.finishes(url)
    assert library.nothing_lives()


def test_subject_of_another_account_is_refused(library: Library, world: World) -> None:
    """Requirement 6.11: the server names another account than the one signed in."""
    world.skyhost.server.lies.subject = world.rosie.did
    url = library.approved(ALICE)

    with pytest.raises(SubjectMismatch):
        library.finishes(url)
    assert library.nothing_lives()


def test_a_rogue_server_cannot_claim_a_strangers_account(
    library: Library, world: World
) -> None:
    """Requirement 6.12: after a server start the account's own PDS decides."""
    rogue = world.add_host("rogue.social")
    world.settle("mallory.rogue.social", rogue)
    rogue.server.lies.subject = world.alice.did
    url = library.approved("https://rogue.social", account="mallory.rogue.social")

    with pytest.raises(IssuerMismatch):
        library.finishes(url)
    assert library.nothing_lives()


def test_login_at_a_server_is_verified_without_caches(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirements 6.12, 6.14: document, resource and metadata are fetched anew."""
    library.begins(ALICE)
    url = library.approved("https://as.skyhost.social", account=ALICE)
    network.forget()

    assert library.finishes(url).session.did == world.alice.did
    asked = {one.path for one in network.sent(method="GET")}
    assert {
        f"/{world.alice.did}",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    } <= asked


def test_a_server_start_of_an_account_that_has_moved_is_refused(
    library: Library, world: World
) -> None:
    """Requirements 6.12, 6.14: the cache still says that this server speaks for it."""
    library.begins(ALICE)
    url = library.approved("https://as.skyhost.social", account=ALICE)
    world.moves(world.alice, world.garden)

    with pytest.raises(IssuerMismatch):
        library.finishes(url)
    assert library.nothing_lives()


def test_an_account_that_moved_while_its_login_waited_is_refused(
    library: Library, world: World
) -> None:
    """Requirement 6.13: a verification older than ten minutes is made again,
    without caches.
    """
    authorization = library.begins(ALICE)
    page = library.at_host(authorization)
    world.clock.advance(601)
    library.begins(ALICE)
    world.moves(world.alice, world.garden)

    with pytest.raises(IssuerMismatch):
        library.finishes(page.approves().url)
    assert library.nothing_lives()


def test_login_with_old_verification_is_verified_again(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 6.13: and the session follows the account to another PDS of the
    same issuer.
    """
    page = library.at_host(library.begins(ALICE))
    world.clock.advance(601)
    second = world.add_host("second.skyhost.social", server="as2.skyhost.social")
    second.pds.server = world.skyhost.server
    world.moves(world.alice, second)

    session = library.finishes(page.approves().url).session

    assert session.pds == "https://pds.second.skyhost.social"
    assert session.verified_at == world.clock()


def test_verification_with_directory_down_raises_host_unreachable(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirements 1.24, 6.15: the person is told to try later; nothing stays
    behind.
    """
    url = library.approved("https://as.skyhost.social", account=ALICE)
    network.lay(f"https://plc.directory/{world.alice.did}", faults.bad_gateway())

    with pytest.raises(HostUnreachable):
        library.finishes(url)
    assert library.nothing_lives()


def test_verification_with_pds_without_metadata_raises_host_without_oauth(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 6.12: without a document nothing is verified."""
    url = library.approved("https://as.skyhost.social", account=ALICE)
    resource = "https://pds.skyhost.social/.well-known/oauth-protected-resource"
    network.lay(resource, faults.missing())

    with pytest.raises(HostWithoutOAuth):
        library.finishes(url)
    assert library.nothing_lives()


class _Holds(Fault):
    """Keeps requests back until the test is over."""

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate

    def before(self, sent: Sent, timeout: float) -> None:
        self.gate.wait(60)


def test_verification_beside_slow_ones_is_not_delayed(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 6.14: a stranger may begin many logins whose account lives at a
    slow host.
    """
    verifier = IssuerVerifier(discovery=library.discovery, clock=library.clock)
    gate = threading.Event()
    slow, other = _old_request(library, BOB), _old_request(library, ALICE)
    network.lay(f"https://plc.directory/{world.bob.did}", _Holds(gate))

    def begins(request: AuthRequest) -> Future[AccountLocation]:
        begun = verifier.begin(request, deadline=library.deadline())
        assert begun is not None
        return begun

    waiting = [begins(slow) for _ in range(40)]
    try:
        assert begins(other).result(timeout=30).did == world.alice.did
        assert not any(one.done() for one in waiting)
    finally:
        gate.set()


def test_verifications_share_a_bounded_number_of_threads(library: Library) -> None:
    """Requirement 9.6: each may wait for a slow host that a stranger chose."""
    verifier = IssuerVerifier(discovery=library.discovery, clock=library.clock)
    request, gate, running = _old_request(library, ALICE), threading.Event(), []
    all_run = threading.Semaphore(0)

    def waits(*_: object) -> None:
        running.append(threading.get_ident())
        all_run.release()
        gate.wait(60)

    verifier._verify = waits  # type: ignore[assignment, method-assign]
    begun = [
        verifier.begin(request, deadline=library.deadline())
        for _ in range(MAX_VERIFICATIONS + 5)
    ]
    try:
        assert all(all_run.acquire(timeout=30) for _ in range(MAX_VERIFICATIONS))
        assert len(set(running)) == len(running) == MAX_VERIFICATIONS
    finally:
        gate.set()
    assert all(one is not None and one.result(30) is None for one in begun)


def _old_request(library: Library, handle: str) -> AuthRequest:
    """Return a waiting login whose verification is no longer fresh."""
    library.begins(handle)
    return replace(library.states.last, verified_at=0.0)
