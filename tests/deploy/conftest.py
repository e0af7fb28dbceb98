"""One machine for all tests, deployed to once; a test that changes it restores it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.deployment import Deployment, deployed


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Deploy the committed source to a machine made for it."""
    with deployed(tmp_path_factory.mktemp("deploy")) as deployment:
        yield deployment
