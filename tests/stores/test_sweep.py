from __future__ import annotations

import pytest
from sqlalchemy import func, select, table, text

from app.stores.cache import LONGEST_VALUE, SqlCache
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.logins.native_logins import SqlNativeLogins
from app.stores.people.audit import SqlAudit
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.people.sessions import SqlSessions
from app.stores.provider.grants import SqlGrants
from app.stores.provider.tokens import SqlAccessTokens
from app.stores.services.events import NewEvent, append
from app.stores.sql.row_bounds import MOST
from app.stores.sweep import LIMIT, SqlExpired
from tests.stores.samples import (
    ALICE,
    BOB,
    access_token,
    app_grant,
    auth_request,
    native_login,
    oauth_session,
    session,
)


@pytest.fixture
def expired(database):
    return SqlExpired(database)


@pytest.fixture
def grants(database, cipher):
    return SqlSessionStore(database, cipher)


def count(database, name):
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table(name)))


def fill_cache(database, number):
    rows = [{"key": f"key-{n}", "expires_at": n} for n in range(number)]
    insert = text("INSERT INTO cache_entries VALUES (:key, '', :expires_at)")
    with database.write() as connection:
        connection.execute(insert, rows)


def test_expired_auth_requests_go_and_waiting_ones_stay(
    expired, database, cipher, clock
):
    states = SqlStateStore(database, cipher, clock)
    states.put(auth_request("over", expires_at=clock()))
    states.put(auth_request("waiting", expires_at=clock() + 1))

    assert expired.delete("auth_requests", clock()) == 1
    assert states.get("waiting") is not None
    assert count(database, "oauth_auth_requests") == 1


def test_native_logins_go_when_their_time_is_over(expired, database, cipher, clock):
    logins = SqlNativeLogins(database, cipher)
    logins.add(native_login(login_id="over", expires_at=clock()), open_secret="a")
    logins.add(native_login(login_id="open", expires_at=clock() + 1), open_secret="b")

    assert expired.delete("native_logins", clock()) == 1
    assert logins.get("over") is None
    assert logins.get("open") is not None


def test_a_step_deletes_a_bounded_number_the_oldest_first(expired, database):
    fill_cache(database, LIMIT + 3)

    assert expired.delete("cache_entries", 10_000) == LIMIT
    with database.read() as connection:
        left = connection.exec_driver_sql("SELECT key FROM cache_entries").scalars()
        assert set(left) == {f"key-{LIMIT + n}" for n in range(3)}
    assert expired.delete("cache_entries", 10_000) == 3
    assert expired.delete("cache_entries", 10_000) == 0


def add_request(database, key, *, expires_at):
    request = text("""
        INSERT INTO provider_requests
            (request_hash, kind, client_id, parameters, expires_at)
        VALUES (:key, 'held', 'app', '{}', :expires_at)
    """)
    with database.write() as connection:
        connection.execute(request, {"key": key, "expires_at": int(expires_at)})


def test_requests_grants_and_tokens_of_apps_go_when_they_expire(
    expired, database, clock
):
    for name, expires_at in (("over", clock()), ("open", clock() + 1)):
        add_request(database, name, expires_at=expires_at)
        grant = app_grant(name, client_id=name, expires_at=expires_at)
        SqlGrants(database).add(grant, most=9)
        token = access_token(grant_id=name, expires_at=expires_at)
        SqlAccessTokens(database).add(token, secret=name, most=9)

    for kind in ("provider_requests", "provider_grants", "provider_tokens"):
        assert expired.delete(kind, clock()) == 1
        assert count(database, kind) == 1


def test_a_cached_value_is_swept_when_its_lifetime_is_over(expired, database, clock):
    cache = SqlCache(database, clock)
    cache.put("over", "1", lifetime=10)
    cache.put("fresh", "2", lifetime=20)

    assert expired.delete("cache_entries", clock() + 10) == 1
    assert cache.get("fresh") == "2"


def test_ended_and_expired_sessions_go_and_live_ones_stay(
    expired, database, sessions, clock
):
    sessions.add(session(sid="live"), secret="1")
    sessions.add(session(sid="ended"), secret="2")
    sessions.add(session(sid="ended-late"), secret="3")
    sessions.add(session(sid="expired", expires_at=clock() - 100), secret="4")
    sessions.end("ended", clock() - 50)
    sessions.end("ended-late", clock())

    assert expired.delete("ended_sessions", clock() - 50) == 1
    assert expired.delete("expired_sessions", clock() - 100) == 1
    with database.read() as connection:
        left = connection.exec_driver_sql("SELECT sid FROM sessions").scalars()
        assert set(left) == {"live", "ended-late"}


def test_old_audit_events_go(expired, database, clock):
    audit = SqlAudit(database)
    audit.record("old", now=clock() - 100)
    audit.record("recent", now=clock())

    assert expired.delete("audit_events", clock() - 100) == 1
    assert count(database, "audit_events") == 1


def orphans(expired, clock, **bounds):
    """Return the grants to revoke, and count that each is tried."""
    bounds = {"created_before": clock(), "now": clock(), "limit": 10, **bounds}
    found = expired.orphans(**bounds)
    for orphan in found:
        expired.count_try(orphan, now=clock())
    return [(one.did, one.session_id) for one in found]


def test_a_grant_whose_session_lives_is_no_orphan(expired, grants, sessions, clock):
    grants.put(oauth_session())
    sessions.add(session(), secret="1")

    assert orphans(expired, clock) == []


@pytest.mark.parametrize(
    "other",
    [
        {"did": BOB},
        {"oauth_session_id": "grant-2"},
        {"oauth_session_id": None},
        {"expires_at": 1.0},
        {"ended_at": 1.0},
    ],
)
def test_a_grant_without_a_live_session_of_its_own_is_an_orphan(
    expired, grants, sessions, clock, other
):
    grants.put(oauth_session())
    sessions.add(session(**other), secret="1")

    assert orphans(expired, clock) == [(ALICE, "grant-1")]


def test_a_young_grant_may_be_waiting_for_its_session(expired, grants, clock):
    grants.put(oauth_session(created_at=clock()))

    assert orphans(expired, clock, created_before=clock() - 1) == []


def test_a_young_grant_whose_session_has_ended_is_an_orphan(
    expired, grants, sessions, clock
):
    grants.put(oauth_session(created_at=clock()))
    sessions.add(session(ended_at=1.0), secret="1")

    assert orphans(expired, clock, created_before=clock() - 1) == [(ALICE, "grant-1")]


def test_orphans_come_oldest_first_and_no_more_than_asked(expired, grants, clock):
    for number in range(3):
        grants.put(oauth_session(session_id=f"g{number}", created_at=10.0 - number))

    assert orphans(expired, clock, limit=2) == [(ALICE, "g2"), (ALICE, "g1")]


def test_orphans_return_other_grants_in_the_next_run(expired, grants, clock):
    for number in range(3):
        grants.put(oauth_session(session_id=f"g{number}", created_at=10.0 + number))

    runs = [orphans(expired, clock, limit=2) for _ in range(2)]

    assert runs[0] == [(ALICE, "g0"), (ALICE, "g1")]
    assert runs[1] == [(ALICE, "g2"), (ALICE, "g0")]


def give_up(expired, clock):
    """Give up grants that were tried three times, and first 100 seconds ago."""
    return expired.give_up(3, since=clock() - 100, now=clock())


def test_give_up_deletes_grants_after_so_many_runs_and_so_long(expired, grants, clock):
    grants.put(oauth_session(session_id="unreached"))
    for _ in range(3):
        assert give_up(expired, clock) == 0
        orphans(expired, clock)
    clock.advance(99)
    assert give_up(expired, clock) == 0
    clock.advance(1)
    grants.put(oauth_session(session_id="new"))
    orphans(expired, clock)

    assert give_up(expired, clock) == 1
    assert grants.get(ALICE, "unreached") is None
    assert grants.get(ALICE, "new") is not None


def test_give_up_after_long_and_few_runs_deletes_nothing(expired, grants, clock):
    """No sweep ran meanwhile, because this machine was down."""
    grants.put(oauth_session(session_id="unreached"))
    orphans(expired, clock)
    clock.advance(1_000)

    assert give_up(expired, clock) == 0


@pytest.mark.parametrize("name", MOST)
def test_enforce_bounds_deletes_the_oldest_rows(
    expired, database, cipher, clock, monkeypatch, name
):
    monkeypatch.setitem(MOST, name, 3)
    fill(database, cipher, clock, name, 5)
    bounded = SqlExpired(database)

    assert bounded.enforce_bounds() == 2
    assert bounded.enforce_bounds() == 0
    assert count(database, "sessions" if name == "newcomers" else name) == 3


def fill(database, cipher, clock, name, number):
    """Add rows of a bounded table, the first one oldest."""
    for n in range(number):
        later = {"created_at": clock() + n, "expires_at": clock() + n + 60}
        match name:
            case "oauth_auth_requests":
                states = SqlStateStore(database, cipher, clock)
                states.put(auth_request(str(n), **later))
            case "native_logins":
                login = native_login(login_id=str(n), **later)
                SqlNativeLogins(database, cipher).add(login, open_secret=str(n))
            case "provider_requests":
                add_request(database, str(n), expires_at=later["expires_at"])
            case "cache_entries":
                SqlCache(database, clock).put(str(n), "", lifetime=60 + n)
            case "newcomers":
                made = session(
                    sid=str(n), pending_for="signup", destination="{}", **later
                )
                SqlSessions(database, clock).add(made, secret=str(n))
            case _:
                add_event(database, name, now=clock() + n)


def add_event(database, name, *, now):
    if name == "audit_events":
        SqlAudit(database).record("signed_in", now=now)
        return
    with database.write() as connection:
        append(connection, [NewEvent("disabled", ALICE)], now=now)


def test_store_enforces_its_bound_while_it_writes(database, cipher, clock, monkeypatch):
    monkeypatch.setitem(MOST, "oauth_auth_requests", 5)
    monkeypatch.setattr("app.stores.sql.row_bounds.EVERY", 10)
    states = SqlStateStore(database, cipher, clock)
    for number in range(20):
        states.put(auth_request(str(number), expires_at=clock() + 60 + number))

    assert count(database, "oauth_auth_requests") == 5
    assert states.get("19") is not None
    assert states.get("14") is None


def test_long_value_is_not_cached_in_the_table(database, clock):
    SqlCache(database, clock).put("long", "x" * (LONGEST_VALUE + 1), lifetime=60)

    assert count(database, "cache_entries") == 0
