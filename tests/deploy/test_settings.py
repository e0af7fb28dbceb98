"""Settings of the playbook that change: its own, and gRPC in the same sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.deployment import Deployment

UNIT = "latchkey-rpc.service"
OTHER = "127.0.0.1:8100"
SERVING = """
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
with grpc.insecure_channel("[::1]:50051") as channel:
    request = health_pb2.HealthCheckRequest(service="latchkey.v1.AuthService")
    print(health_pb2_grpc.HealthStub(channel).Check(request, timeout=20).status)
"""


@pytest.fixture(scope="module")
def changed(deployment: Deployment) -> Iterator[Deployment]:
    """Deploy again, with other settings and with gRPC; then as it was."""
    grpc = ("--extra-vars", '{"deploy_grpc": true}')
    run = deployment.playbook.run(*grpc, PLATFORM_NAME="Renamed", BIND=OTHER)
    assert run.succeeded, run.output
    yield deployment
    back = deployment.playbook.run()
    assert back.succeeded, back.output
    assert state(deployment) == ("inactive", "disabled")
    assert "127.0.0.1:8000" in deployment.machine.show("latchkey.socket", "Listen")


def state(deployment: Deployment) -> tuple[str, str]:
    show = deployment.machine.show
    return show(UNIT, "ActiveState"), show(UNIT, "UnitFileState")


def test_grpc_unit_without_its_setting_is_not_started(deployment: Deployment):
    assert state(deployment) == ("inactive", "disabled")


def test_grpc_unit_serves_in_its_sandbox_and_stops_with_exit_code_0(
    changed: Deployment,
):
    machine = changed.machine
    python = "/opt/latchkey/current/venv/bin/python"
    answer = machine.output(f"{python} -c '{SERVING}'")
    was = state(changed)
    restarts = machine.show(UNIT, "NRestarts")
    machine.run(f"systemctl stop {UNIT}")

    assert answer.strip() == "1"  # SERVING: it reaches the database and the keys
    assert was == ("active", "enabled")
    assert restarts == "0"
    assert machine.show(UNIT, "Result") == "success"
    assert machine.show(UNIT, "ExecMainStatus") == "0"


def test_changed_settings_are_used_after_the_run(changed: Deployment):
    metadata = changed.public("/oauth-client-metadata.json").json()

    assert metadata["client_name"] == "Renamed"
    assert OTHER in changed.machine.show("latchkey.socket", "Listen")
    assert changed.machine.run("curl -s 127.0.0.1:8000", check=False).returncode
