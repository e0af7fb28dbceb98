"""`app.native` over gRPC against the real listener, and a person's browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.native import (
    AuthManager,
    Clock,
    LoginDenied,
    LoginExpired,
    LoginRefused,
    MemoryStore,
)
from app.native.transports.grpc_transport import GrpcTransport
from app.native.transports.transport import Claim
from tests.fakes.app import App, confirms

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.rpc.running import Running
    from tests.service import Service

ALICE = "alice.skyhost.social"
LONGEST = 30.0


@pytest.fixture
def auth(running: Running) -> AuthManager:
    return AuthManager(MemoryStore(), transport=GrpcTransport(running.target))


def decides(service: Service, browser: Browser, link: str, decision: str) -> None:
    app = App(service)
    app.link = link
    confirms(browser, app, decision)


def test_approved_native_login_returns_the_session_and_acknowledges(
    auth: AuthManager, running: Running, alice: Browser, service: Service
) -> None:
    started = auth.start_login(service.home, ALICE, app_name="Relay")
    decides(service, alice, started.oauth_url, "allow")

    session = auth.await_login(started.session_id, timeout=LONGEST)

    assert (session.username, session.server_url) == ("alice", service.home)
    told = App(service).uses(session.token).json()
    assert told["did"] == session.did
    [(acknowledged,)] = service.rows("SELECT acknowledged_at FROM native_logins")
    assert acknowledged is not None


def test_denied_native_login_raises_login_denied(
    auth: AuthManager, alice: Browser, service: Service
) -> None:
    started = auth.start_login(service.home, ALICE)
    decides(service, alice, started.oauth_url, "deny")

    with pytest.raises(LoginDenied):
        auth.await_login(started.session_id, timeout=LONGEST)


def test_start_with_bad_identifier_raises_login_refused_with_its_words(
    auth: AuthManager, service: Service
) -> None:
    with pytest.raises(LoginRefused) as refused:
        auth.start_login(service.home, "not a handle")

    assert refused.value.code == "invalid_identifier"
    assert refused.value.description
    assert refused.value.reference


def test_await_of_a_deleted_login_raises_login_expired(
    auth: AuthManager, service: Service, running: Running
) -> None:
    started = auth.start_login(service.home, ALICE)
    service.rows("DELETE FROM native_logins")

    with pytest.raises(LoginExpired):
        auth.await_login(started.session_id, timeout=LONGEST)


def test_acknowledge_with_wrong_verifier_raises_login_refused(
    auth: AuthManager, running: Running, service: Service
) -> None:
    started = auth.start_login(service.home, ALICE)
    claim = Claim(
        server_url=service.home, session_id=started.session_id, verifier="x" * 43
    )

    with pytest.raises(LoginRefused) as refused:
        GrpcTransport(running.target).acknowledge(claim)

    assert refused.value.code == "wrong_verifier"


def test_app_that_refreshes_each_day_lives_for_a_week_on_one_approval(
    running: Running, alice: Browser, service: Service, world: World
) -> None:
    clock = Clock(wall=world.clock)
    transport = GrpcTransport(running.target)
    auth = AuthManager(MemoryStore(), transport=transport, clock=clock)
    started = auth.start_login(service.home, ALICE, app_name="Relay")
    decides(service, alice, started.oauth_url, "allow")
    tokens = {auth.await_login(started.session_id, timeout=LONGEST).token}

    for _ in range(7):
        world.clock.advance(24 * 3600 - 60)
        session = auth.get_session()
        assert session is not None
        assert App(service).uses(session.token).status == 200
        tokens.add(session.token)

    assert len(tokens) == 8
    service.rows("UPDATE sessions SET ended_at = 1 WHERE app_name = 'Relay'")
    world.clock.advance(24 * 3600)
    assert auth.get_session() is None
