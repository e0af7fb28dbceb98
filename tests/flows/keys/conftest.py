from __future__ import annotations

import pytest

from app.flows.keys.change import ChangeRing
from tests.flows.keys.memory import FakeAudit, FakeKeys, FakeUse


@pytest.fixture
def keys():
    return FakeKeys()


@pytest.fixture
def use():
    return FakeUse()


@pytest.fixture
def audit():
    return FakeAudit()


@pytest.fixture
def change(keys, audit, clock):
    return ChangeRing(keys=keys, audit=audit, clock=clock)
