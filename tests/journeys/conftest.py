"""Browsers that many cases share, where no case leaves anything behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.config import Settings
from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.service import Service, close, copied, production

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service import Prepared


@pytest.fixture(scope="module")
def standing(
    prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One application for a module whose cases change nothing."""
    database = copied(prepared, tmp_path_factory.mktemp("standing"))
    settings = Settings(**production(database))
    service = Service(World(), settings, compiled=prepared.compiled)
    yield service
    close(service.app)


@pytest.fixture
def visitor(standing: Service) -> Browser:
    """A browser that is not signed in."""
    standing.world.network.forget()
    return standing.browser()


@pytest.fixture(scope="module")
def signed_in(standing: Service) -> Browser:
    """A browser that is signed in."""
    browser = standing.browser()
    browser.signs_in("rosies.garden", username="rosie")
    return browser
