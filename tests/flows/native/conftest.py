"""Native logins, sessions and tokens in memory, for the flows of native apps."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.atproto.crypto.encoding import sha256_hex
from app.flows.errors import AccountDisabled
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.login.start import LoginStarted
from app.flows.native.refresh import RefreshApp
from app.flows.native.start import StartNativeLogin
from app.flows.native.wait import AwaitNativeLogin
from app.flows.sessions.logout import EndSession
from app.flows.sessions.session import SignedIn
from tests.flows.memory import MemoryAudit, MemoryRefreshChains, NoLimit
from tests.stores.samples import session, user

HOME = "https://auth.platform.cafe"
PHONE = "203.0.113.7"


@dataclass
class FakeStart:
    """Begins logins, and notes what it was asked for."""

    asked: list[dict[str, object]] = field(default_factory=list)
    refusal: Exception | None = None

    def __call__(self, destination, **asked):
        if self.refusal:
            raise self.refusal
        self.asked.append({"destination": destination, **asked})
        return LoginStarted(
            url="https://auth.test/authorize", state="the-state", secret="link/secret"
        )


@dataclass
class FakeTokens:
    """Mints tokens one could count."""

    minted: int = 0
    disabled: bool = False

    def account(self, session):
        if self.disabled:
            raise AccountDisabled(session.did)
        return SignedIn(session=session, user=user(), token=None)

    def issue(self, session):
        if self.disabled:
            raise AccountDisabled(session.did)
        self.minted += 1
        return SignedIn(session=session, user=user(), token=f"token-{self.minted}")


@dataclass
class FakeSessions:
    live: dict[str, object] = field(default_factory=dict)

    def get(self, sid):
        return self.live.get(sid)

    def end(self, sid, now):
        return self.live.pop(sid, None) is not None


@pytest.fixture
def starting():
    return FakeStart()


@pytest.fixture
def tokens():
    return FakeTokens()


@pytest.fixture
def sessions():
    return FakeSessions({"sid-1": session(app_name="Sketch")})


@pytest.fixture
def chains():
    return MemoryRefreshChains()


@pytest.fixture
def limits():
    return NoLimit()


@pytest.fixture
def refreshing(chains, sessions, tokens, limits, clock):
    return RefreshApp(
        chains=chains,
        sessions=sessions,
        tokens=tokens,
        ending=EndSession(
            client=None, sessions=sessions, audit=MemoryAudit(), clock=clock
        ),
        rates=limits,
        token_lifetime=86_400,
        clock=clock,
    )


@pytest.fixture
def app_starts(logins, starting, clock):
    return StartNativeLogin(
        logins=logins, starting=starting, public_url=HOME, clock=clock
    )


@pytest.fixture
def app_waits(logins, sessions, tokens, refreshing, clock):
    return AwaitNativeLogin(
        logins=logins,
        sessions=sessions,
        tokens=tokens,
        refreshing=refreshing,
        events=None,
        streams=ConcurrencyLimit("streams", per_key=1, retry_after=30),
        token_lifetime=86_400,
        clock=clock,
    )


@pytest.fixture
def started(app_starts):
    return app_starts.start("alice.test", address=PHONE, app_name="Sketch")


@pytest.fixture
def allowed(logins, started, clock):
    """The login of `started`, confirmed in the browser just now."""
    logins.change(
        sha256_hex(started.await_secret),
        status="completed",
        sid="sid-1",
        decided_at=clock(),
    )
    return started
