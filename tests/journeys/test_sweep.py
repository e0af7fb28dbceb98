"""`flask --app wsgi sweep`, as the timers of several nodes run it."""

from __future__ import annotations

import json

from app.flows.sweep import LEASE
from tests.fakes.world import World
from tests.service import Service


def run_sweep(service: Service) -> str:
    result = service.app.test_cli_runner().invoke(args=["sweep"])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_sweep_says_what_it_deleted(service: Service, world: World) -> None:
    service.rows("INSERT INTO cache_entries VALUES ('stale', '', 0)")

    assert json.loads(run_sweep(service))["cache_entries"] == 1
    assert json.loads(run_sweep(service))["cache_entries"] == 0


def test_a_sweep_beside_a_running_one_says_so_and_is_no_failure(
    service: Service, world: World
) -> None:
    service.rows("INSERT INTO cache_entries VALUES ('stale', '', 0)")
    until = int(world.clock() + LEASE)
    service.rows("INSERT INTO leases VALUES ('sweep', 'another node', ?)", until)

    assert "another sweep is running" in run_sweep(service)

    world.clock.advance(LEASE)

    assert json.loads(run_sweep(service))["cache_entries"] == 1
