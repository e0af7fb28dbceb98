from __future__ import annotations

import pytest

from tests.tokens.rings import key, ring_of, verifier_of


@pytest.fixture
def verifier(clock):
    """A verifier whose ring has one ES256 key."""
    return verifier_of(ring_of(key("ES256")), clock)
