"""A clock of ours that is wrong by two hours: the log says by how much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.config import Settings
from tests.doctor.scene import Dated
from tests.fakes.browser import AtHost
from tests.service import Service, close, copied, outside_of, production

if TYPE_CHECKING:
    from tests.fakes.world import World
    from tests.service import Prepared

ALICE = "alice.skyhost.social"


@pytest.mark.parametrize(("hours", "side"), [(2, "ahead of"), (-2, "behind")])
def test_sign_in_with_a_wrong_clock_says_so_in_the_log(
    world: World,
    prepared: Prepared,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    hours: int,
    side: str,
) -> None:
    network = world.network
    network.serve("as.skyhost.social", Dated(world.skyhost.server, world.clock))
    settings = Settings(**production(copied(prepared, tmp_path)))
    ours = world.clock.skewed(hours * 3600)
    outside = replace(outside_of(world, settings), clock=ours)
    service = Service(world, settings, outside=outside)

    page = service.browser().opens_login().tries(ALICE)
    close(service.app)

    assert not isinstance(page, AtHost)
    assert page.error == "server_invalid"
    assert f"our clock is 7200 s {side} its Date header" in caplog.text
