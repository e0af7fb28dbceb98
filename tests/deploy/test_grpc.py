"""The gRPC listener: off unless asked for, and served from the same sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.deployment import Deployment

UNIT = "latchkey-rpc.service"
SERVING = """
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
with grpc.insecure_channel("[::1]:50051") as channel:
    request = health_pb2.HealthCheckRequest(service="latchkey.v1.AuthService")
    print(health_pb2_grpc.HealthStub(channel).Check(request, timeout=20).status)
"""


@pytest.fixture
def with_grpc(deployment: Deployment) -> Iterator[Deployment]:
    run = deployment.playbook.run("--extra-vars", '{"deploy_grpc": true}')
    assert run.succeeded, run.output
    yield deployment
    back = deployment.playbook.run()
    assert back.succeeded, back.output


def state(deployment: Deployment) -> tuple[str, str]:
    show = deployment.machine.show
    return show(UNIT, "ActiveState"), show(UNIT, "UnitFileState")


def test_grpc_unit_without_its_setting_is_not_started(deployment: Deployment):
    assert state(deployment) == ("inactive", "disabled")


def test_grpc_unit_serves_in_its_sandbox_and_stops_with_exit_code_0(
    with_grpc: Deployment,
):
    machine = with_grpc.machine
    python = "/opt/latchkey/current/venv/bin/python"
    answer = machine.output(f"{python} -c '{SERVING}'")
    was = state(with_grpc)
    restarts = machine.show(UNIT, "NRestarts")
    machine.run(f"systemctl stop {UNIT}")

    assert answer.strip() == "1"  # SERVING: it reaches the database and the keys
    assert was == ("active", "enabled")
    assert restarts == "0"
    assert machine.show(UNIT, "Result") == "success"
    assert machine.show(UNIT, "ExecMainStatus") == "0"
