"""Browsers that many cases share, where no case leaves anything behind."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.journeys.calling import Caller, opened
from tests.service import Service, opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.service import Prepared


@pytest.fixture(scope="module")
def open_standing(
    prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Service]]:
    """Open an application for a module whose cases change nothing."""
    folder = partial(tmp_path_factory.mktemp, "standing")
    with opening(World(), prepared, folder) as open_one:
        yield open_one


@pytest.fixture(scope="module")
def standing(open_standing: Callable[..., Service]) -> Service:
    """One application for a module whose cases change nothing."""
    return open_standing(rate_limit_failed_tokens_per_address="100000/minute")


@pytest.fixture(scope="module")
def _shared(open_standing: Callable[..., Service]) -> Caller:
    return opened(open_standing, rate_limit_xrpc_per_session="100000/minute")


@pytest.fixture
def shared(_shared: Caller) -> Iterator[Caller]:
    """A person whose calls change nothing that other cases would notice."""
    network = _shared.world.network
    network.forget()
    yield _shared
    network.mend()


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
