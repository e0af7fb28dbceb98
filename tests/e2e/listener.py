"""The gRPC listener, as a process of its own beside the service."""

from __future__ import annotations

import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from app.native.transports.grpc_transport import OPTIONS
from tests.e2e.laboratory import Laboratory

ROOT = Path(__file__).parents[2]
NAME = "latchkey-rpc"


def start_listener(lab: Laboratory) -> str:
    """Start it with the settings of the service; return where it is."""
    target = f"unix:{socket_of(lab)}"
    lab.network.processes.start(
        NAME,
        [sys.executable, "-m", "app.rpc"],
        environment={**lab.service.environment, "LATCHKEY_RPC_BIND": target},
        healthy=lambda: is_serving(target),
        directory=ROOT,
    )
    return target


def socket_of(lab: Laboratory) -> Path:
    """Return the socket that the listener of a laboratory serves on."""
    return lab.network.directory / "rpc.sock"


def is_serving(target: str) -> bool:
    """Ask the health service."""
    with grpc.insecure_channel(target, options=OPTIONS) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
