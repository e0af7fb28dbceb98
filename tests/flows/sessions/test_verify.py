"""What /auth/verify remembers of a token, and what it asks again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.atproto.stores.memory import MemoryCache
from app.flows.sessions.session import Identify
from app.flows.sessions.verify import CACHE_LIFETIME, OUTAGE_LIFETIME, Verify
from app.tokens.errors import TokenExpired
from tests.flows.memory import MemoryStandings
from tests.stores.samples import ALICE, session, user
from tests.tokens.rings import issuer_of, key, ring_of, verifier_of

LIFETIME = 600


class CountingVerifier:
    """A verifier that counts the signatures that it checks."""

    def __init__(self, verifier) -> None:
        self._verifier = verifier
        self.checked = 0

    def verify(self, token):
        self.checked += 1
        return self._verifier.verify(token)

    def __getattr__(self, name):
        return getattr(self._verifier, name)


@pytest.fixture
def ring():
    return ring_of(key())


@pytest.fixture
def verifier(ring, clock):
    return CountingVerifier(verifier_of(ring, clock))


@pytest.fixture
def identify(verifier, sessions, users, clock):
    return Identify(
        verifier=verifier,
        standings=MemoryStandings(sessions, users),
        sessions=sessions,
        clock=clock,
    )


@pytest.fixture
def verify(identify, clock):
    return Verify(identify=identify, seen=MemoryCache(clock), clock=clock)


@pytest.fixture
def token(ring, sessions, users, clock):
    users.add(user(), skeleton="allce")
    sessions.add(session(expires_at=clock() + 3 * LIFETIME), secret="cookie")
    issuer = issuer_of(ring, clock, lifetime=LIFETIME)
    issued = issuer.issue(did=ALICE, sid="sid-1", handle=None, username="alice")
    return issued.text


def test_signature_of_a_token_in_use_is_checked_once(verify, verifier, token, clock):
    for _ in range(5):
        assert verify(token).identified.claims.sid == "sid-1"
        clock.advance(CACHE_LIFETIME + 1)

    assert verifier.checked == 1


def test_signature_is_checked_again_after_a_pause(verify, verifier, token, clock):
    verify(token)
    clock.advance(OUTAGE_LIFETIME + 1)

    assert verify(token) is not None
    assert verifier.checked == 2


def test_signature_is_checked_again_after_a_change_of_the_keys(
    verify, verifier, token, ring
):
    verify(token)
    verifier._verifier = replace(verifier._verifier, ring=lambda: replace(ring))

    assert verify(token) is not None
    assert verifier.checked == 2


def test_session_that_has_ended_is_noticed_without_the_signature(
    verify, verifier, token, sessions, clock
):
    verify(token)
    sessions.end("sid-1", clock())
    clock.advance(CACHE_LIFETIME)

    assert verify(token) is None
    assert verifier.checked == 1


def test_token_in_use_is_refused_once_it_has_expired(verify, token, clock):
    for _ in range(LIFETIME // 2):
        assert verify(token) is not None
        clock.advance(2)

    assert verify(token) is None


def test_identify_again_after_the_expiry_raises_token_expired(
    identify, verifier, token, clock
):
    claims = verifier.verify(token)
    clock.advance(LIFETIME)

    with pytest.raises(TokenExpired):
        identify.again(claims)
