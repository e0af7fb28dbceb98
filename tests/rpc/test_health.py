"""The standard health service: SERVING while the parts that /readyz asks are well."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc._cython import cygrpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from app.rpc import health
from tests.rpc.running import ANSWERS_WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.rpc.running import Running
    from tests.service import Service

AUTH = "latchkey.v1.AuthService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.fixture
def stub(running: Running) -> Iterator[health_pb2_grpc.HealthStub]:
    with running.channel() as channel:
        yield health_pb2_grpc.HealthStub(channel)


def check(stub: health_pb2_grpc.HealthStub, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return stub.Check(request, timeout=ANSWERS_WITHIN).status


@pytest.mark.parametrize("name", ["", AUTH])
def test_check_of_a_ready_listener_is_serving(stub, name: str):
    assert check(stub, name) == SERVING


def test_check_of_an_unknown_service_is_not_found(stub):
    with pytest.raises(grpc.RpcError) as refused:
        check(stub, "latchkey.v9.AuthService")

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_all_services_are_listed_with_their_state(stub):
    request = health_pb2.HealthListRequest()
    statuses = stub.List(request, timeout=ANSWERS_WITHIN).statuses

    assert {name: one.status for name, one in statuses.items()} == {
        "": SERVING,
        AUTH: SERVING,
    }


def test_check_without_keys_is_not_serving(
    listens: Callable[..., Running], service: Service
):
    service.rows("DELETE FROM signing_keys")
    with listens(service).channel() as channel:
        assert check(health_pb2_grpc.HealthStub(channel), AUTH) == NOT_SERVING


def test_watch_reports_database_outage_and_recovery(
    listens: Callable[..., Running],
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(health, "ASK_AGAIN", 0.05)
    trouble: list[Exception] = []

    def ping() -> None:
        if trouble:
            raise trouble[0]

    with listens(service, checks={"database": ping}).channel() as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=AUTH)
        heard = stub.Watch(request, timeout=ANSWERS_WITHIN)

        assert next(heard).status == SERVING
        trouble.append(ConnectionError("refused"))
        assert next(heard).status == NOT_SERVING
        trouble.clear()
        assert next(heard).status == SERVING
        heard.cancel()


def test_check_that_times_out_is_not_serving(
    listens: Callable[..., Running],
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(health, "ANSWERS_WITHIN", 0.05)
    answered = Event()
    checks = {"database": lambda: answered.wait(ANSWERS_WITHIN)}
    with listens(service, checks=checks).channel() as channel:
        state = check(health_pb2_grpc.HealthStub(channel), AUTH)
    answered.set()

    assert state == NOT_SERVING


def test_watch_of_an_unknown_service_is_service_unknown(stub):
    request = health_pb2.HealthCheckRequest(service="latchkey.v9.AuthService")
    heard = stub.Watch(request, timeout=ANSWERS_WITHIN)

    assert next(heard).status == SERVICE_UNKNOWN
    heard.cancel()


def wait_until_read(heard: Any) -> None:
    """Wait until another thread has asked gRPC for the next message of the call."""
    for _ in range(1_000):
        if cygrpc.OperationType.receive_message in heard._state.due:
            return
        sleep(0.01)
    raise TimeoutError


def test_watch_of_a_stopping_listener_is_not_serving(running: Running, stub):
    heard = stub.Watch(health_pb2.HealthCheckRequest(), timeout=ANSWERS_WITHIN)
    first = next(heard).status

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(lambda: next(heard).status)
        # A client that reads after the end is told of the end alone.
        wait_until_read(heard)
        running.stops()

        assert (first, second.result()) == (SERVING, NOT_SERVING)
    with pytest.raises(grpc.RpcError) as ended:
        next(heard)
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


def test_an_address_may_hold_so_many_watchers(
    listens: Callable[..., Running], open_service: Callable[..., Service]
):
    """Watchers are streams like any other, and count as such."""
    running = listens(open_service(native_streams_per_address=1))
    with running.channel() as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        first = stub.Watch(health_pb2.HealthCheckRequest(), timeout=ANSWERS_WITHIN)
        next(first)
        with pytest.raises(grpc.RpcError) as refused:
            next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=ANSWERS_WITHIN))
        first.cancel()

    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
