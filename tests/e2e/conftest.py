"""DEV and PROD-LIKE, each brought up once for all tests that ask for it.

`lab` runs a test in both. PROD-LIKE binds port 443 and writes /etc/hosts, so it needs
root; without, its tests are skipped and say so.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.e2e.face import FACE
from tests.e2e.laboratory import Laboratory
from tests.e2e.listener import start_listener
from tests.e2e.nodes import Nodes, open_nodes
from tests.e2e.search import Search, open_search
from tests.e2e.vault import Vault
from tests.e2e.visitor import Visitor
from tests.lab import sibling as sibling_service
from tests.lab.certificates import trust_in_chromium
from tests.lab.network import (
    SEARCH,
    SIGN_IN_ONE_WORKER,
    Account,
    Network,
    dev_network,
    prod_like_network,
)
from tests.lab.service import Service, start_in_development, start_in_production
from tests.pages.chromium import EXECUTABLE, FLAGS
from tests.stores.cluster import cluster, postgresql

ON_POSTGRESQL = os.environ.get("E2E_DATABASE") == "postgresql"
"""PROD-LIKE on PostgreSQL with two workers, instead of SQLite with three."""

TOKEN_LIFE = 8
"""Seconds, where all is in haste, but enough for a few calls on a slow machine."""


def pytest_configure() -> None:
    expect.set_options(timeout=60_000)  # a busy machine fails no test
    # Ended from outside, the run stops what it started, as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def dev(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    directory = tmp_path_factory.mktemp("dev")
    with dev_network(directory) as network:
        service = start_in_development(network, port=network.ports["service"])
        with _laboratory("dev", network, service, playwright) as laboratory:
            yield laboratory


@pytest.fixture(scope="session")
def prod_like(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    if os.geteuid() != 0:
        pytest.skip("PROD-LIKE binds port 443 and writes /etc/hosts: run it as root")
    directory = tmp_path_factory.mktemp("prod")
    with ExitStack() as stack:
        url = stack.enter_context(postgresql()) if ON_POSTGRESQL else None
        network = stack.enter_context(prod_like_network(directory))
        workers = 2 if ON_POSTGRESQL else 3
        service = start_in_production(network, workers=workers, database_url=url)
        with _laboratory("prod-like", network, service, playwright) as laboratory:
            yield laboratory


@pytest.fixture(scope="session")
def one_worker(prod_like: Laboratory) -> Laboratory:
    """A service of one worker, with the face of its operator; its host trusts it."""
    service = start_in_production(
        prod_like.network, host=SIGN_IN_ONE_WORKER, workers=1, more=FACE
    )
    return Laboratory(
        "one worker",
        prod_like.network,
        service,
        Vault.of(service),
        prod_like.browser,
        prod_like.secrets,
    )


@pytest.fixture
def search(prod_like: Laboratory) -> Iterator[Search]:
    """Where the service of one worker asks for accounts."""
    with open_search(prod_like.network.ports[SEARCH]) as server:
        yield server


@pytest.fixture(scope="session")
def nodes(prod_like: Laboratory) -> Iterator[Nodes]:
    """Two further nodes, of a platform of their own, on a PostgreSQL of their own."""
    with cluster() as database, open_nodes(prod_like, database) as nodes:
        yield nodes
        assert nodes.lab.leaks() == []
        nodes.lab.vault.database.close()


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """DEV without a service, where tokens live for seconds and nonces for one."""
    directory = tmp_path_factory.mktemp("hasty")
    speed = {
        "LAB_TOKEN_MAX_AGE_MS": str(TOKEN_LIFE * 1000),
        "LAB_NONCE_ROTATION_MS": "1000",
    }
    with dev_network(directory, pds=speed) as network:
        yield network


@pytest.fixture(scope="session")
def browser(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A browser for those who bring no service."""
    browser = _launch(playwright, tmp_path_factory.mktemp("home"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def sibling(prod_like: Laboratory) -> str:
    """Another service of the platform, beside ours."""
    sibling_service.start_sibling(prod_like.network, prod_like.service)
    return sibling_service.URL


@pytest.fixture(params=["dev", "prod_like"])
def lab(request: pytest.FixtureRequest) -> Laboratory:
    laboratory: Laboratory = request.getfixturevalue(request.param)
    return laboratory


@pytest.fixture(scope="session")
def listeners() -> dict[str, str]:
    """Where the gRPC listener of each laboratory is, once it was asked for."""
    return {}


@pytest.fixture
def target(lab: Laboratory, listeners: dict[str, str]) -> str:
    """Where the service is spoken to by gRPC."""
    if lab.service.url not in listeners:
        listeners[lab.service.url] = start_listener(lab)
    return listeners[lab.service.url]


@pytest.fixture
def visitor(lab: Laboratory) -> Iterator[Visitor]:
    with lab.visitor() as visitor:
        yield visitor


@pytest.fixture
def account(lab: Laboratory) -> Account:
    return lab.new_account()


@contextmanager
def _laboratory(
    name: str, network: Network, service: Service, playwright: Playwright
) -> Iterator[Laboratory]:
    """Open a browser in a home of its own, and look for leaks when all is done."""
    home = network.directory / "home"
    home.mkdir()
    if network.ca:
        trust_in_chromium(home, network.ca)
    browser = _launch(playwright, home)
    try:
        laboratory = Laboratory(name, network, service, Vault.of(service), browser)
        yield laboratory
    finally:
        browser.close()
    try:
        assert laboratory.leaks() == []
    finally:
        laboratory.vault.database.close()


def _launch(playwright: Playwright, home: Path) -> Browser:
    environment: dict[str, str | float | bool] = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
    }
    return playwright.chromium.launch(
        executable_path=EXECUTABLE, args=FLAGS, env=environment
    )
