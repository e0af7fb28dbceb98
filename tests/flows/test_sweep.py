from __future__ import annotations

import contextlib
import threading
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from app.atproto.client import Revocation
from app.atproto.errors import HostUnreachable
from app.flows.errors import StorageFailed
from app.flows.native.wait import DELIVERY_WINDOW
from app.flows.sweep import (
    AT_ONCE,
    LEASE,
    MAX_ORPHANS,
    MAX_RUNS,
    MAX_STEPS,
    ORPHAN_AGE,
    PER_HOST,
    REVOCATION_LIMIT,
    REVOKED_WITHIN,
    Orphan,
    Sweep,
    Swept,
)

TOKEN_LIFETIME = 86_400.0
AUDIT_LIFETIME = 90 * 86_400.0


def grant(name, issuer="https://auth.test"):
    return Orphan(did=f"did:plc:{name}", session_id="grant", issuer=issuer)


@dataclass
class FakeExpired:
    """Rows by kind, deleted two at a time; notes what was asked."""

    rows: dict[str, int] = field(default_factory=dict)
    grants: list[Orphan] = field(default_factory=list)
    unreached: int = 0
    beyond: int = 0
    order: list[str] = field(default_factory=list)
    asked: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def delete(self, kind, before):
        self.asked[kind] = before
        self.order.append(kind)
        step = min(2, self.rows.get(kind, 0))
        self.rows[kind] = self.rows.get(kind, 0) - step
        return step

    def enforce_bounds(self):
        self.order.append("bounds")
        step, self.beyond = self.beyond, 0
        return step

    def give_up(self, runs, *, since, now):
        assert (runs, now - since) == (MAX_RUNS, REVOKED_WITHIN)
        return self.unreached

    def orphans(self, **bounds):
        self.order.append("orphans")
        self.bounds = bounds
        return self.grants[: bounds["limit"]]

    def count_try(self, orphan, *, now):
        self.tried.append(orphan.session_id)


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
        revoke=lambda did, session_id, _deadline: revoked.append((did, session_id)),
        clock=clock,
        token_lifetime=TOKEN_LIFETIME,
        keep_keys=lambda: 2,
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
        "refresh_successors": 10,
        "cache_entries": 2,
        "audit_events": 1,
        "username_holds": 8,
        "invitations": 9,
        "service_events": 10,
        "provider_codes": 11,
        "provider_assertions": 16,
        "provider_grants": 12,
        "provider_successors": 13,
        "provider_tokens": 14,
        "provider_requests": 15,
    }
    expired.grants = [grant("alice")]
    expired.beyond = 7

    assert sweep.run() == Swept(
        auth_requests=5,
        sessions=7,
        native_logins=6,
        refresh_successors=23,
        oauth_sessions=1,
        cache_entries=2,
        audit_events=1,
        username_holds=8,
        invitations=9,
        service_events=10,
        provider_codes=11,
        provider_assertions=16,
        provider_grants=12,
        provider_tokens=14,
        provider_requests=15,
        beyond_bounds=7,
        keys=2,
    )
    assert set(expired.rows.values()) == {0}


def test_keys_that_do_not_open_keep_nothing_else_from_being_swept(sweep, expired):
    def keep_keys():
        raise StorageFailed("encrypted under another key")

    expired.rows = {"cache_entries": 2}

    with pytest.raises(StorageFailed):
        replace(sweep, keep_keys=keep_keys).run()

    assert expired.rows["cache_entries"] == 0


def test_a_sweep_of_nothing_deletes_nothing(sweep, pauses):
    assert sweep.run() == Swept(
        auth_requests=0,
        sessions=0,
        native_logins=0,
        refresh_successors=0,
        oauth_sessions=0,
        cache_entries=0,
        audit_events=0,
        username_holds=0,
        invitations=0,
        service_events=0,
        provider_codes=0,
        provider_assertions=0,
        provider_grants=0,
        provider_tokens=0,
        provider_requests=0,
        beyond_bounds=0,
        keys=2,
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
        "refresh_successors": clock() - DELIVERY_WINDOW,
        "cache_entries": clock(),
        "audit_events": clock() - AUDIT_LIFETIME,
        "username_holds": clock(),
        "invitations": clock(),
        "service_events": clock() - 30 * 86_400,
        "provider_codes": clock(),
        "provider_assertions": clock(),
        "provider_grants": clock(),
        "provider_successors": clock() - DELIVERY_WINDOW,
        "provider_tokens": clock(),
        "provider_requests": clock(),
    }


def test_sweep_pauses_between_two_steps(sweep, expired, pauses):
    expired.rows = {"cache_entries": 6}

    sweep.run()

    assert len(pauses) == 3
    assert all(0 < pause <= 0.1 for pause in pauses)


def test_run_ends_after_max_steps(sweep, expired):
    expired.rows = {"cache_entries": 2 * MAX_STEPS + 2}

    assert sweep.run().cache_entries == 2 * MAX_STEPS


def test_grants_without_a_session_are_revoked(sweep, expired, revoked, clock):
    expired.grants = [grant("alice"), grant("bob")]

    sweep.run()

    assert sorted(revoked) == [("did:plc:alice", "grant"), ("did:plc:bob", "grant")]
    assert expired.tried == ["grant", "grant"]
    assert expired.bounds == {
        "created_before": clock() - ORPHAN_AGE,
        "now": clock(),
        "limit": MAX_ORPHANS,
    }


def test_run_while_another_sweep_runs_returns_none(sweep, expired, lease, clock):
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
    expired.grants = [grant("alice")]

    def is_overtaken(_):
        clock.advance(2 * LEASE)
        lease.take("another node", until=clock() + LEASE, now=clock())

    swept = replace(sweep, pause=is_overtaken).run()

    assert swept.auth_requests == 2
    assert swept.cache_entries == 0
    assert revoked == []
    assert lease.holder == "another node"


def test_sweep_deletes_local_rows_before_it_asks_hosts(sweep, expired):
    sweep.run()

    assert expired.order[-1] == "orphans"
    assert expired.order.count("orphans") == 1


def test_revocations_run_several_at_once_and_few_at_one_host(sweep, expired):
    """Each waits until as many run as may: fewer would wait for ever."""
    slow = [grant(f"slow-{n}", "https://slow.test") for n in range(4)]
    others = [grant(f"other-{n}", f"https://{n}.test") for n in range(AT_ONCE)]
    expired.grants = slow + others
    running, most, lock = Counter(), Counter(), threading.Lock()
    full = threading.Barrier(AT_ONCE)

    def revoke(did, _session_id, deadline):
        host = did.rpartition(":")[2].partition("-")[0]
        with lock:
            running[host] += 1
            most[host] = max(most[host], running[host])
            most["all"] = max(most["all"], running.total())
        with contextlib.suppress(threading.BrokenBarrierError):
            full.wait(2)
        full.abort()
        assert deadline.remaining() <= REVOCATION_LIMIT
        with lock:
            running[host] -= 1

    replace(sweep, revoke=revoke).run()

    assert most["all"] == AT_ONCE
    assert most["slow"] <= PER_HOST


def test_run_counts_only_revocations_that_the_host_answered(sweep, expired):
    expired.grants = [grant("alice"), grant("bob"), grant("carol")]
    asked = []

    def revoke(did, _session_id, _deadline):
        asked.append(did)
        if did.endswith("alice"):
            raise HostUnreachable("auth.test", "refused")
        return Revocation(
            issuer="https://auth.test", is_asked=True, is_answered=did.endswith("bob")
        )

    assert replace(sweep, revoke=revoke).run().oauth_sessions == 1
    assert len(asked) == 3


def test_revocations_end_with_the_budget_of_the_run(sweep, expired, monkeypatch):
    monkeypatch.setattr("app.flows.sweep.REVOCATIONS_BUDGET", 0.0)
    expired.grants = [grant("alice")]

    assert sweep.run().oauth_sessions == 0
    assert expired.tried == []  # not reached: it is tried as often as any other


def test_grants_that_were_not_reached_are_given_up(sweep, expired):
    expired.unreached = 3

    assert sweep.run().oauth_sessions == 3
