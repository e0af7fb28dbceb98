"""The service that the verifier asks."""

from __future__ import annotations

import pytest

from tests.verify.service import FakeService


@pytest.fixture
def service() -> FakeService:
    """A service with one key."""
    return FakeService()
