"""The standard health service: SERVING while the parts that /readyz asks are well."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Event
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from app.rpc import health
from tests.fakes.threads import no_new_threads
from tests.rpc.running import ANSWERS_WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.rpc.calls import Context
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


def test_watch_of_a_stopping_listener_ends_with_not_serving(running: Running, stub):
    heard = stub.Watch(health_pb2.HealthCheckRequest(), timeout=ANSWERS_WITHIN)
    first = next(heard).status
    running.stops()

    assert (first, next(heard).status) == (SERVING, NOT_SERVING)
    with pytest.raises(grpc.RpcError) as ended:
        next(heard)
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


class WritingCaller:
    """A caller whose first message is still being written when the listener stops."""

    def __init__(self, stops: Callable[[], None]) -> None:
        self.stops = stops
        self.heard: list[int] = []

    async def write(self, message: health_pb2.HealthCheckResponse) -> None:
        self.heard.append(message.status)
        self.stops()

    async def abort(self, code: grpc.StatusCode, *_: Any) -> NoReturn:
        raise grpc.aio.AbortError(code)

    def peer(self) -> str:
        return "ipv4:203.0.113.7:50123"

    def invocation_metadata(self) -> None: ...

    def set_trailing_metadata(self, _metadata: Any) -> None: ...


def without_checks(threads: ThreadPoolExecutor) -> health.Health:
    return health.Health(
        services=(AUTH,),
        checks={},
        threads=threads,
        admit=lambda _address: nullcontext(),
        platform="",
    )


def test_listener_that_stops_during_a_write_is_not_serving():
    async def watches() -> list[int]:
        with ThreadPoolExecutor(1) as threads:
            state = without_checks(threads)
            await state.ask()
            caller = WritingCaller(state.end)
            with pytest.raises(grpc.aio.AbortError):
                await state.Watch(
                    health_pb2.HealthCheckRequest(), cast("Context", caller)
                )
        return caller.heard

    assert asyncio.run(watches()) == [SERVING, NOT_SERVING]


def test_checks_without_a_thread_fail_and_run_again():
    async def states() -> list[int]:
        found = []
        with ThreadPoolExecutor(1) as threads:
            state = without_checks(threads)
            with no_new_threads():
                await state.ask()
                found.append(await answer_of(state))
            await state.ask()
            found.append(await answer_of(state))
        return found

    assert asyncio.run(states()) == [NOT_SERVING, SERVING]


async def answer_of(state: health.Health) -> int:
    request, caller = health_pb2.HealthCheckRequest(), WritingCaller(state.end)
    status: int = (await state.Check(request, cast("Context", caller))).status
    return status


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
