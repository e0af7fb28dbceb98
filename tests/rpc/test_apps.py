"""The apps' side of ours, against the real listener: the two ends fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from app.native import AuthManager, Backoff, LoginDenied, LoginRefused, MemoryStore
from app.native.transports.grpc_transport import GrpcTransport
from tests.rpc.test_journeys import ALICE, decides

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.rpc.running import Running
    from tests.service import Service

QUICK = Backoff(first=0.01, longest=0.05)


def opens_app(running: Running) -> AuthManager:
    transport = GrpcTransport(running.target)
    return AuthManager(MemoryStore(), transport=transport, backoff=QUICK)


def test_an_app_of_ours_signs_a_person_in(
    running: Running,
    alice: Browser,
    service: Service,
):
    app = opens_app(running)
    started = app.start_login(service.home, ALICE, app_name="Sky Desk")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(app.await_login, started.session_id)
        decides(alice, started.oauth_url)
        session = waiting.result(30)

    assert app.get_session() == session
    assert session.username == "alice"
    (row,) = service.rows("SELECT acknowledged_at FROM native_logins")
    assert row[0] is not None


def test_an_app_of_ours_waits_over_a_restart(
    listens: Callable[..., Running],
    alice: Browser,
    service: Service,
):
    first = listens(service)
    app = opens_app(first)
    started = app.start_login(service.home, ALICE)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(app.await_login, started.session_id)
        first.stops()
        listens(service, bind=first.target)
        decides(alice, started.oauth_url)

        assert waiting.result(30).username == "alice"


def test_denied_app_of_ours_gets_denied(
    running: Running,
    alice: Browser,
    service: Service,
):
    app = opens_app(running)
    started = app.start_login(service.home, ALICE)
    decides(alice, started.oauth_url, "deny")

    with pytest.raises(LoginDenied):
        app.await_login(started.session_id)


def test_app_of_ours_gets_the_error_of_a_login_that_cannot_begin(
    running: Running, service: Service
):
    with pytest.raises(LoginRefused) as refused:
        opens_app(running).start_login(service.home, "not a handle")

    assert refused.value.code == "invalid_identifier"
