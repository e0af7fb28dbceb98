from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from app.flows.native.wait import DELIVERY_WINDOW
from app.flows.sweep import LEASE, MAX_ORPHANS, MAX_STEPS, ORPHAN_AGE, Sweep, Swept

TOKEN_LIFETIME = 86_400.0
AUDIT_LIFETIME = 90 * 86_400.0


@dataclass
class FakeExpired:
    """Rows by kind, deleted two at a time; notes what was asked."""

    rows: dict[str, int] = field(default_factory=dict)
    grants: list[tuple[str, str]] = field(default_factory=list)
    asked: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)

    def delete(self, kind, before):
        self.asked[kind] = before
        step = min(2, self.rows.get(kind, 0))
        self.rows[kind] = self.rows.get(kind, 0) - step
        return step

    def orphans(self, **bounds):
        self.bounds = bounds
        return self.grants[: bounds["limit"]]


@dataclass
class FakeLease:
    """One holder at a time, until its time is over."""

    holder: str = ""
    until: float = 0.0
    terms: list[float] = field(default_factory=list)

    def take(self, holder, *, until, now):
        if self.holder not in ("", holder) and self.until > now:
            return False
        self.holder, self.until = holder, until
        self.terms.append(until)
        return True

    def release(self, holder):
        if self.holder == holder:
            self.holder = ""


@pytest.fixture
def lease():
    return FakeLease()


@pytest.fixture
def expired():
    return FakeExpired()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def revoked():
    return []


@pytest.fixture
def sweep(expired, lease, revoked, pauses, clock):
    return Sweep(
        expired=expired,
        lease=lease,
        revoke=lambda did, session_id: revoked.append((did, session_id)),
        clock=clock,
        token_lifetime=TOKEN_LIFETIME,
        audit_lifetime=AUDIT_LIFETIME,
        pause=pauses.append,
    )


def test_a_sweep_goes_on_until_nothing_is_left_and_tells_how_much_it_was(
    sweep, expired
):
    expired.rows = {
        "auth_requests": 5,
        "ended_sessions": 3,
        "expired_sessions": 4,
        "native_logins": 6,
        "cache_entries": 2,
        "audit_events": 1,
    }
    expired.grants = [("did:plc:alice", "grant-1")]

    assert sweep.run() == Swept(
        auth_requests=5,
        sessions=7,
        native_logins=6,
        oauth_sessions=1,
        cache_entries=2,
        audit_events=1,
    )
    assert set(expired.rows.values()) == {0}


def test_a_sweep_of_nothing_deletes_nothing(sweep, pauses):
    assert sweep.run() == Swept(
        auth_requests=0,
        sessions=0,
        native_logins=0,
        oauth_sessions=0,
        cache_entries=0,
        audit_events=0,
    )
    assert pauses == []


def test_a_session_is_kept_while_a_token_of_it_may_live(sweep, expired, clock):
    sweep.run()

    assert expired.asked == {
        "auth_requests": clock(),
        "callback_answers": clock(),
        "ended_sessions": clock() - TOKEN_LIFETIME,
        "expired_sessions": clock() - TOKEN_LIFETIME,
        "native_logins": clock() - DELIVERY_WINDOW,
        "cache_entries": clock(),
        "audit_events": clock() - AUDIT_LIFETIME,
    }


def test_others_get_their_turn_between_two_steps(sweep, expired, pauses):
    expired.rows = {"cache_entries": 6}

    sweep.run()

    assert len(pauses) == 3
    assert all(0 < pause <= 0.1 for pause in pauses)


def test_one_run_ends_even_when_rows_come_faster_than_they_go(sweep, expired):
    expired.rows = {"cache_entries": 2 * MAX_STEPS + 2}

    assert sweep.run().cache_entries == 2 * MAX_STEPS


def test_grants_without_a_session_are_given_back_to_their_host(
    sweep, expired, revoked, clock
):
    expired.grants = [("did:plc:alice", "grant-1"), ("did:plc:bob", "grant-2")]

    sweep.run()

    assert revoked == expired.grants
    assert expired.bounds == {
        "created_before": clock() - ORPHAN_AGE,
        "now": clock(),
        "limit": MAX_ORPHANS,
    }


def test_a_sweep_leaves_everything_to_the_one_that_is_running(
    sweep, expired, lease, clock
):
    expired.rows = {"cache_entries": 2}
    lease.take("another node", until=clock() + 1, now=clock())

    assert sweep.run() is None
    assert expired.asked == {}
    assert lease.holder == "another node"


def test_sweep_after_a_died_one_runs_when_its_lease_ends(sweep, lease, clock):
    lease.take("a node that died", until=clock() + LEASE, now=clock())
    clock.advance(LEASE)

    assert sweep.run() is not None


def test_the_next_one_may_sweep_at_once(sweep, lease):
    sweep.run()

    assert lease.holder == ""


def test_the_next_one_may_sweep_at_once_when_a_sweep_failed(
    sweep, lease, expired, monkeypatch
):
    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(expired, "delete", fail)

    with pytest.raises(OSError, match="full"):
        sweep.run()
    assert lease.holder == ""


def test_a_long_sweep_keeps_its_lease(sweep, expired, lease, clock):
    expired.rows = {"cache_entries": 40}

    def is_swept_by_another(_):
        clock.advance(LEASE / 4)
        assert not lease.take("another node", until=clock() + LEASE, now=clock())

    swept = replace(sweep, pause=is_swept_by_another).run()

    assert swept.cache_entries == 40
    assert len(lease.terms) < 20 / 1.5  # not once for every step


def test_a_sweep_that_lost_its_lease_stops(sweep, expired, lease, revoked, clock):
    """It was stopped for minutes, a laptop or a machine that was moved."""
    expired.rows = {"auth_requests": 20, "cache_entries": 20}
    expired.grants = [("did:plc:alice", "grant-1")]

    def is_overtaken(_):
        clock.advance(2 * LEASE)
        lease.take("another node", until=clock() + LEASE, now=clock())

    swept = replace(sweep, pause=is_overtaken).run()

    assert swept.auth_requests == 2
    assert swept.cache_entries == 0
    assert revoked == []
    assert lease.holder == "another node"
