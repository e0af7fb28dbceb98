from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.flows.sweep import MAX_ORPHANS, MAX_STEPS, ORPHAN_AGE, Sweep, Swept

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
def sweep(expired, revoked, pauses, clock):
    return Sweep(
        expired=expired,
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
        "cache_entries": 2,
        "audit_events": 1,
    }
    expired.grants = [("did:plc:alice", "grant-1")]

    assert sweep.run() == Swept(
        auth_requests=5,
        sessions=7,
        oauth_sessions=1,
        cache_entries=2,
        audit_events=1,
    )
    assert set(expired.rows.values()) == {0}


def test_a_sweep_of_nothing_deletes_nothing(sweep, pauses):
    assert sweep.run() == Swept(
        auth_requests=0, sessions=0, oauth_sessions=0, cache_entries=0, audit_events=0
    )
    assert pauses == []


def test_a_session_is_kept_while_a_token_of_it_may_live(sweep, expired, clock):
    sweep.run()

    assert expired.asked == {
        "auth_requests": clock(),
        "ended_sessions": clock() - TOKEN_LIFETIME,
        "expired_sessions": clock() - TOKEN_LIFETIME,
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
