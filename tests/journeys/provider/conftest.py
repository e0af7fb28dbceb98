"""A person who is signed in, and an app that an operator has registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.relying_party import RelyingParty
from tests.signed import signs_in

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.service import Service

ALICE = "alice.skyhost.social"


@pytest.fixture
def alice(service: Service) -> Browser:
    """The browser of Alice, who is signed in."""
    return signs_in(service, service.browser(), ALICE, username="alice")


@pytest.fixture
def app(alice: Browser, service: Service) -> RelyingParty:
    """An app with a secret, for everyone."""
    return RelyingParty.registered(service)
