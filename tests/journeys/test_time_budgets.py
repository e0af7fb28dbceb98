"""How long a person waits for slow hosts: ten seconds, however many hops there are.

A host gets what is left of one budget, which the door holds it to (requirements 6.14
and 9.3, tests/atproto/http/test_client_limits.py). Here is looked at what is granted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.fakes.browser import Browser
from tests.fakes.network import Fault, Sent
from tests.fakes.world import World
from tests.service import Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
PAR = f"{ENTRYWAY}/oauth/par"
TOKEN = f"{ENTRYWAY}/oauth/token"
REVOKE = f"{ENTRYWAY}/oauth/revoke"
DOCUMENTS = [
    "https://pds.skyhost.social/.well-known/oauth-protected-resource",
    f"{ENTRYWAY}/.well-known/oauth-authorization-server",
]
PATIENCE = 9.9
"""Seconds: ten, less a moment for our own work."""


@dataclass
class Notes(Fault):
    """Notes how long a request may take."""

    given: list[float] = field(default_factory=list)

    def before(self, sent: Sent, timeout: float) -> None:
        self.given.append(timeout)


@dataclass
class Stopwatch:
    """What requests to each URL were granted."""

    world: World

    def watches(self, *urls: str) -> list[float]:
        notes = Notes()
        for url in urls:
            self.world.network.lay(url, notes)
        return notes.given


@pytest.fixture
def stopwatch(world: World) -> Stopwatch:
    return Stopwatch(world)


@pytest.fixture
def document(world: World) -> str:
    return f"https://plc.directory/{world.alice.did}"


def test_the_hops_of_a_login_share_one_budget(
    browser: Browser, stopwatch: Stopwatch, document: str
) -> None:
    given = stopwatch.watches(document, *DOCUMENTS, PAR)

    browser.opens_login().types(ALICE)

    assert len(given) == 5
    assert given == sorted(given, reverse=True)
    assert given[0] < PATIENCE


def test_the_hops_of_a_callback_share_one_budget(
    browser: Browser, world: World, stopwatch: Stopwatch, document: str
) -> None:
    """The exchange and the whole proof; and after a refusal the revocation
    (requirement 6.15).
    """
    rogue = world.add_host("rogue.social")
    world.settle("mallory.rogue.social", rogue)
    rogue.server.lies.subject = world.alice.did
    at_host = browser.opens_login().types("https://rogue.social")
    proof = stopwatch.watches("https://rogue.social/oauth/token", document, *DOCUMENTS)
    revocation = stopwatch.watches("https://rogue.social/oauth/revoke")

    page = at_host.approves("mallory.rogue.social")

    assert page.error == "issuer_mismatch"
    assert len(proof) == 4
    assert proof == sorted(proof, reverse=True)
    assert len(revocation) == 2
    assert proof[0] + revocation[0] < PATIENCE


def test_ending_the_session_before_is_within_the_time_too(
    browser: Browser, stopwatch: Stopwatch
) -> None:
    """Requirement 6.17: its host may be another one, and slow."""
    browser.signs_in(ALICE, username="alice")
    at_host = browser.opens_login(prompt="login").types(BOB)
    exchange, revocation = stopwatch.watches(TOKEN), stopwatch.watches(REVOKE)

    at_host.approves().chooses("bobby")

    assert revocation
    assert exchange[0] + revocation[0] < PATIENCE


def test_a_grant_that_we_cannot_keep_is_given_back_within_the_time(
    service: Service, browser: Browser, world: World, stopwatch: Stopwatch
) -> None:
    """Requirement 6.15: the account is shut, which we know only at the end."""
    browser.signs_in(ALICE, username="alice")
    browser.signs_out()
    at_host = browser.opens_login().types(ALICE)
    exchange, revocation = stopwatch.watches(TOKEN), stopwatch.watches(REVOKE)
    service.rows("UPDATE users SET disabled_at = 1 WHERE did = ?", world.alice.did)

    page = at_host.approves()

    assert page.error == "account_disabled"
    assert revocation
    assert exchange[0] + revocation[0] < PATIENCE


def test_signing_out_waits_for_the_host_within_the_time(
    browser: Browser, stopwatch: Stopwatch
) -> None:
    """Requirement 7.19."""
    browser.signs_in(ALICE, username="alice")
    given = stopwatch.watches(REVOKE)

    browser.signs_out()

    assert len(given) == 2
    assert given[0] < PATIENCE
