"""A session among processes: one refresh for all, and no step at which a crash hurts.

The host is as unforgiving as the reference: it rotates tokens, and a refresh token that
comes twice ends the session there (requirement 7.7). So after each crash exactly one of
two things may be true: the row holds the host's own pair, or both sides know the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.atproto.errors import SessionEnded
from app.atproto.records import OAuthSession
from app.stores.people.oauth_sessions import SqlSessionStore
from tests.atproto.wired import Library
from tests.fakes.network import Fault, Sent
from tests.fakes.pds import GET_SESSION
from tests.fakes.world import World
from tests.stores import elsewhere
from tests.stores.elsewhere import Seat, killed_at, refresh_in_threads, switchboard
from tests.stores.racers import race

pytestmark = pytest.mark.process

LIFETIME = 60
PROCESSES = 3
EXPIRIES = 3
TOKEN = "https://as.skyhost.social/oauth/token"


@pytest.fixture
def library(world: World, database: Any, cipher: Any) -> Library:
    """The client as this process has it."""
    world.skyhost.server.token_lifetime = LIFETIME
    sessions: Any = SqlSessionStore(database, cipher)
    return Library(world, sessions=sessions)


@pytest.fixture
def session(library: Library) -> OAuthSession:
    return library.logs_in("alice.skyhost.social")


@pytest.fixture
def seat(library: Library, session: OAuthSession, database_url: str) -> Iterator[Seat]:
    """A place for another process, at the moment when the token has just ended."""
    world = library.world
    world.clock.advance(LIFETIME)
    world.network.forget()
    with switchboard(world) as address:
        yield Seat(
            database_url=database_url,
            switchboard=address,
            now=world.clock(),
            client_key=library.keys[0].private_jwk(),
            did=session.did,
            session_id=session.session_id,
        )


def calls(library: Library, seat: Seat) -> str:
    """Call the PDS with the session, as the next one does who needs it."""
    live = library.client.restore(seat.did, seat.session_id)
    answer = live.request("GET", GET_SESSION, deadline=library.deadline(1_000))
    return str(answer.json_object()["did"])


# --- crashes --------------------------------------------------------------------------

UNHARMED = [
    "before lease",
    "after lease",
    "before GET did",
    "after GET did",
    "before GET oauth-protected-resource",
    "after GET oauth-protected-resource",
    "before GET oauth-authorization-server",
    "after GET oauth-authorization-server",
    "before POST token",
    "after replace",
]
ENDED = ["after POST token", "before replace"]


@pytest.mark.parametrize("step", UNHARMED)
def test_after_a_crash_the_next_caller_goes_on(
    library: Library, seat: Seat, step: str
) -> None:
    """Requirements 7.6, 7.8: the lease of the dead ends, and the host was asked
    once at most.
    """
    assert killed_at(step, seat)

    assert calls(library, seat) == seat.did

    (grant,) = library.world.skyhost.server.grants.all
    stored = library.sessions.get(seat.did, seat.session_id)
    assert stored is not None
    assert grant.alive
    assert stored.refresh_token == grant.refresh_token
    assert len(grant.spent) == 1


@pytest.mark.parametrize("step", ENDED)
def test_a_crash_with_the_answer_in_hand_ends_the_session_on_both_sides(
    library: Library, seat: Seat, step: str
) -> None:
    """Requirements 7.7, 7.11: nothing can bring that answer back. Said once, with
    no loop.
    """
    assert killed_at(step, seat)

    with pytest.raises(SessionEnded):
        calls(library, seat)

    (grant,) = library.world.skyhost.server.grants.all
    assert library.sessions.get(seat.did, seat.session_id) is None
    assert not grant.alive
    library.world.network.forget()
    with pytest.raises(SessionEnded):
        calls(library, seat)
    assert library.world.network.sent() == []


def test_a_process_that_is_not_killed_ends_by_itself(
    library: Library, seat: Seat
) -> None:
    """Otherwise the tests above would prove nothing."""
    assert not killed_at("no such step", seat)
    assert len(library.world.network.sent(path="/oauth/token")) == 1


# --- races ----------------------------------------------------------------------------


class TakesAMoment(Fault):
    """The host is busy, long enough for everybody else to come and wait."""

    def before(self, sent: Sent, timeout: float) -> None:
        time.sleep(0.2)


def test_processes_and_threads_make_one_token_request_per_expiry(
    library: Library, seat: Seat
) -> None:
    """Requirement 7.6: and all of them get its outcome."""
    network = library.world.network
    network.lay(TOKEN, TakesAMoment())
    for round_ in range(EXPIRIES):
        network.forget()
        (grant,) = library.world.skyhost.server.grants.all

        lots = race(
            refresh_in_threads,
            seat.database_url,
            [seat.at(seat.now + round_ * LIFETIME)] * PROCESSES,
        )

        tokens = [token for lot in lots for token in lot]
        assert len(tokens) == PROCESSES * elsewhere.THREADS
        assert set(tokens) == {grant.access_token}
        assert len(network.sent(path="/oauth/token")) == 1
        assert len(grant.spent) == round_ + 1
        library.world.clock.advance(LIFETIME)
