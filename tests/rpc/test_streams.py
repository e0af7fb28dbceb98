"""Awaiting: many streams, each freed when its caller leaves, none lost by a restart."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event, Semaphore, active_count
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import grpc
import pytest

from app.flows.native.outcome import NativeOutcome
from app.rpc.listener import LOOKS
from app.rpc.service import AuthService
from app.wire.latchkey.v1 import auth_pb2
from tests.fakes.network import Fault
from tests.rpc.running import ANSWERS_WITHIN, App, metadata_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from app.flows.native.refresh import RefreshApp
    from app.flows.native.start import StartNativeLogin
    from app.flows.native.wait import AwaitNativeLogin
    from tests.fakes.network import Sent
    from tests.rpc.running import Running
    from tests.service import Service

ALICE = "alice.skyhost.social"
PAR = "https://as.skyhost.social/oauth/par"


def deny(service: Service) -> None:
    """Decide every login as the page does, behind the listener's back."""
    now = int(service.world.clock())
    service.rows("UPDATE native_logins SET status = 'denied', decided_at = ?", now)


def open_streams(running: Running) -> int:
    return running.listener.awaiting.streams.held


def wait_until_free(running: Running) -> None:
    ends = time.monotonic() + ANSWERS_WITHIN
    while time.monotonic() < ends:
        if not open_streams(running):
            return
        time.sleep(0.02)
    raise AssertionError(f"{open_streams(running)} streams are still open")


def test_await_streams_pending_then_the_answer(app: App, service: Service):
    started = app.initiates(ALICE)
    events = app.awaits(started.session_id)

    assert next(events).WhichOneof("outcome") == "pending"
    deny(service)
    assert [event.WhichOneof("outcome") for event in events] == ["denied"]
    assert events.code() == grpc.StatusCode.OK


def test_await_of_a_decided_login_streams_one_event(app: App, service: Service):
    started = app.initiates(ALICE)
    deny(service)

    assert app.is_told(started.session_id) == ["denied"]


def test_a_stream_that_is_woken_looks_at_once(
    listens: Callable[..., Running], service: Service
):
    running = listens(service, look_again=600.0)
    with running.channel() as channel:
        app = App(channel)
        events = app.awaits(app.initiates(ALICE).session_id)
        next(events)
        deny(service)
        running.listener.awaiting.events.wake_all()

        assert [event.WhichOneof("outcome") for event in events] == ["denied"]


def test_a_caller_that_leaves_frees_its_place(
    app: App, running: Running, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    events = app.awaits(app.initiates(ALICE).session_id)
    next(events)
    assert open_streams(running) == 1

    events.cancel()

    wait_until_free(running)
    assert any("AwaitLogin CANCELLED" in line for line in caplog.messages)


def test_caller_that_cancels_during_a_wake_up_frees_its_place():
    """`asyncio.wait_for` of Python 3.11 would go on waiting without a caller."""

    async def leaves() -> bool:
        service = AuthService(
            starting=cast("StartNativeLogin", None),
            awaiting=cast("AwaitNativeLogin", SimpleNamespace(is_ending=False)),
            refreshing=cast("RefreshApp", None),
            starts=cast("Executor", None),
            looks=cast("Executor", None),
            platform="",
        )
        woken = asyncio.Event()
        pending = NativeOutcome(status="pending", expires_in=60)
        waiting = asyncio.create_task(service._wait(woken, pending))
        await asyncio.sleep(0)
        woken.set()
        waiting.cancel()
        await asyncio.wait([waiting])
        return waiting.cancelled()

    assert asyncio.run(leaves())


def test_a_caller_whose_deadline_passes_frees_its_place(app: App, running: Running):
    started = app.initiates(ALICE)
    request = auth_pb2.AwaitLoginRequest(session_id=started.session_id)

    with pytest.raises(grpc.RpcError) as late:
        list(app.stub.AwaitLogin(request, timeout=0.3))

    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until_free(running)


def test_a_connection_that_breaks_loses_nothing(running: Running, service: Service):
    with running.channel() as channel:
        started = App(channel).initiates(ALICE)
        next(App(channel).awaits(started.session_id))
    deny(service)
    with running.channel() as channel:
        assert App(channel).is_told(started.session_id) == ["denied"]
    wait_until_free(running)


def test_an_address_may_hold_so_many_streams(
    listens: Callable[..., Running], open_service: Callable[..., Service]
):
    running = listens(open_service(native_streams_per_address=2))
    with running.channel() as channel:
        app = App(channel)
        started = app.initiates(ALICE)
        held = [app.awaits(started.session_id) for _ in range(2)]
        for events in held:
            next(events)
        with pytest.raises(grpc.RpcError) as refused:
            app.is_told(started.session_id)
        held[0].cancel()

    told = metadata_of(refused.value)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told["latchkey-error"] == "too_many_requests"
    assert int(told["retry-after"]) >= 1


def test_a_restart_sends_streams_away_and_the_login_goes_on(
    listens: Callable[..., Running], service: Service
):
    first = listens(service)
    with first.channel() as channel:
        app = App(channel)
        started = app.initiates(ALICE)
        events = app.awaits(started.session_id)
        next(events)
        first.stops()
        with pytest.raises(grpc.RpcError) as ended:
            next(events)
    deny(service)
    with listens(service).channel() as channel:
        outcome = App(channel).is_told(started.session_id)

    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert int(metadata_of(ended.value)["retry-after"]) >= 1
    assert outcome == ["denied"]


def test_await_of_two_hundred_streams_takes_no_thread_each(
    listens: Callable[..., Running], open_service: Callable[..., Service]
):
    service = open_service(native_streams_per_address=200)
    running = listens(service, look_again=600.0)
    with ExitStack() as connections:
        apps = [App(connections.enter_context(running.channel())) for _ in range(4)]
        started = apps[0].initiates(ALICE)
        before = active_count()
        held = [apps[n % 4].awaits(started.session_id) for n in range(200)]
        for events in held:
            assert next(events).WhichOneof("outcome") == "pending"
        spent = active_count() - before - len(apps)

        deny(service)
        running.listener.awaiting.events.wake_all()
        outcomes = {event.WhichOneof("outcome") for one in held for event in one}

    assert spent <= 20
    assert outcomes == {"denied"}
    wait_until_free(running)


@dataclass
class Stalls(Fault):
    """A host that keeps everybody waiting until it is let go on."""

    arrived: Semaphore = field(default_factory=lambda: Semaphore(0))
    let_go: Event = field(default_factory=Event)

    def before(self, sent: Sent, timeout: float) -> None:
        self.arrived.release()
        self.let_go.wait(ANSWERS_WITHIN)


def test_slow_hosts_keep_no_finished_login_waiting(app: App, service: Service):
    started = app.initiates(ALICE)
    deny(service)
    stalls = Stalls()
    service.world.network.lay(PAR, stalls)
    request = auth_pb2.InitiateLoginRequest(identifier=ALICE)
    slow = [app.stub.InitiateLogin.future(request) for _ in range(2 * LOOKS)]
    for _ in slow:
        assert stalls.arrived.acquire(timeout=ANSWERS_WITHIN)

    assert app.is_told(started.session_id) == ["denied"]

    stalls.let_go.set()
    assert all(one.result(ANSWERS_WITHIN).session_id for one in slow)


def test_calls_beyond_the_limit_of_a_process_are_refused(
    service: Service,
    listens: Callable[..., Running],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.rpc.listener.MOST_CALLS", 1)
    with listens(service).channel() as channel:
        app = App(channel)
        started = app.initiates(ALICE)
        stream = app.awaits(started.session_id)
        assert next(stream).WhichOneof("outcome") == "pending"

        with pytest.raises(grpc.RpcError) as refused:
            app.initiates(ALICE)

        stream.cancel()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
