"""Erasing an account leaves its DID in no table but that of the grants."""

from __future__ import annotations

import pytest
from sqlalchemy import MetaData, select

from app.stores.cache import SqlCache
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.logins.native_logins import SqlNativeLogins
from app.stores.people import erasure as erasure_module
from app.stores.people.accounts import SqlAccounts
from app.stores.people.audit import SqlAudit
from app.stores.people.audit_trail import SqlAuditTrail
from app.stores.people.erasure import SqlErasure
from app.stores.people.groups import SqlGroups
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from app.stores.provider.clients import SqlClients
from app.stores.provider.codes import SqlCodes
from app.stores.provider.consents import SqlConsents
from app.stores.provider.grants import SqlGrants
from app.stores.provider.tokens import SqlAccessTokens
from app.stores.rates.sliding_window import key_of
from tests.fakes.clock import NOON
from tests.stores.samples import (
    ALICE,
    BOB,
    access_token,
    app_grant,
    auth_request,
    authorization_code,
    consent,
    native_login,
    oauth_client,
    oauth_session,
    session,
    user,
)

MARK = "deleted:4f1c09ab"
KEPT = {"oauth_sessions", "service_events"}
"""The grants, until they are revoked, and the event of the deletion."""
WITHOUT_PEOPLE = {
    "alembic_version",
    "callback_answers",
    "former_keys",
    "groups",
    "invitations",
    "leases",
    "provider_assertions",
    "provider_clients",
    "provider_requests",
    "provider_secrets",
    "provider_tokens",
    "runs",
    "schema_support",
    "service_event_numbers",
    "service_keys",
    "signing_keys",
}
"""Tables that hold nothing of an account: a new table is named here, or erased."""


@pytest.fixture
def erasure(database, cipher):
    return SqlErasure(database, cipher)


@pytest.fixture
def filled(database, cipher, clock):
    """Everything that a platform may have of Alice, and the same of Bob."""
    users, sessions = SqlUsers(database), SqlSessions(database, clock)
    for did, name in ((ALICE, "alice"), (BOB, "bob")):
        handle = f"{name}.test"
        users.add(user(did=did, username=name, handle=handle), skeleton=name)
        sessions.add(
            session(
                did=did,
                sid=f"sid-{name}",
                handle=handle,
                device=f"Firefox on Linux, {name.capitalize()}",
                login_id=f"login-of-{name}",
            ),
            secret=f"secret-{name}",
        )
        grant = oauth_session(did=did, session_id=f"grant-{name}", handle=handle)
        SqlSessionStore(database, cipher).put(grant)
        SqlStateStore(database, cipher, clock).put(
            auth_request(f"state-{name}", did=did, handle=handle, login_hint=handle)
        )
        SqlAudit(database).record(
            "signed_in", now=NOON, did=did, sid=f"sid-{name}", detail={"app": handle}
        )
        SqlGroups(database).add("members", did, now=NOON)
        SqlClients(database).add(oauth_client(f"app-{name}", allow=(did,)), most=9)
        SqlCodes(database).add(authorization_code(did=did), secret=f"code-{name}")
        fill_provider(database, did, name)
        SqlCache(database, clock).put(f"identity:{did}", handle, lifetime=300)
        SqlCache(database, clock).put(f"identity:{handle}", did, lifetime=300)
        logins = SqlNativeLogins(database, cipher)
        done = native_login(login_id=f"done-{name}", state=f"done-{name}")
        logins.add(done, open_secret=f"done-{name}")
        logins.complete(
            f"done-{name}", session=session(did=did, sid=f"sid-{name}"), now=NOON
        )
        logins.add(
            native_login(login_id=f"waits-{name}", identifier=handle),
            open_secret=f"waits-{name}",
        )
        with database.write() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO rate_counters VALUES ('{counter(did)}', 1, 1, 1, 1)"  # noqa: S608
            )
    alice = users.get(ALICE)
    SqlAccounts(database).rename(
        alice, "liddell", skeleton="liddell", now=NOON, held_until=NOON + 100
    )
    return users.get(ALICE)


def fill_provider(database, did, name):
    """Store what an app has of an account, and a request that names it in a hint."""
    app = {"did": did, "client_id": f"app-{name}"}
    grant = app_grant(f"app-grant-{name}", session_id=f"sid-{name}", **app)
    SqlGrants(database).add(grant, most=9)
    SqlConsents(database).give(consent(**app))
    token = access_token(grant_id=grant.grant_id)
    SqlAccessTokens(database).add(token, secret=f"token-{name}", most=9)


def erases(erasure, whom, *, now=NOON):
    return erasure.erase(
        whom,
        mark=MARK,
        apps=["waits-alice"],
        detail={"operator": "carol"},
        held_until=NOON + 200,
        now=now,
    )


def tables(database):
    with database.read() as connection:
        schema = MetaData()
        schema.reflect(connection)
        return {
            table.name: connection.execute(select(table)).mappings().all()
            for table in schema.sorted_tables
        }


def counter(did):
    """Return the key under which the calls of an account are counted."""
    return key_of(f"call {did}")


def names_of(database, *texts):
    """Return the tables in which one of the texts stands."""
    return {
        name
        for name, rows in tables(database).items()
        if any(text in repr(rows) for text in texts)
    }


def test_erase_leaves_the_did_in_no_table_but_that_of_the_grants(
    erasure, database, filled
):
    before = names_of(database, ALICE, counter(ALICE))
    everything = set(tables(database))

    assert erases(erasure, filled) == ["grant-alice"]

    assert before | WITHOUT_PEOPLE == everything
    gone = (
        ALICE,
        counter(ALICE),
        "app-grant-alice",
        "alice.test",
        "Firefox on Linux, Alice",
        "login-of-alice",
    )
    assert names_of(database, *gone) == KEPT


def test_erase_leaves_what_is_of_others(erasure, database, filled):
    def of_bob():
        return {
            name: [row for row in rows if BOB in repr(row) or "bob" in repr(row)]
            for name, rows in tables(database).items()
        }

    before = of_bob()

    erases(erasure, filled)

    assert of_bob() == before


def test_forget_events_goes_step_by_step_and_leaves_few(
    erasure, database, filled, monkeypatch
):
    monkeypatch.setattr(erasure_module, "STEP", 2)
    for number in range(5):
        SqlAudit(database).record("xrpc", now=NOON + number, did=ALICE)

    steps = [erasure.forget_events(ALICE, mark=MARK) for _ in range(3)]

    assert steps == [2, 2, 0]
    trail = SqlAuditTrail(database)
    left = trail.read(did=ALICE, event=None, since=0, after="", limit=10)
    forgotten = trail.read(did=MARK, event=None, since=0, after="", limit=10)
    assert (len(left), len(forgotten)) == (2, 4)
    assert max(one.id for one in forgotten) < min(one.id for one in left)
    assert trail.read(did=BOB, event=None, since=0, after="", limit=10)


def test_erase_keeps_the_audit_under_its_mark(erasure, database, filled):
    erases(erasure, filled)

    trail = SqlAuditTrail(database)
    found = trail.read(did=MARK, event=None, since=0, after="", limit=10)
    assert {(one.event, one.sid) for one in found} == {
        ("signed_in", None),
        ("account_deleted", None),
    }
    [deleted] = [one for one in found if one.event == "account_deleted"]
    assert deleted.detail == {"operator": "carol"}
    assert [one.detail for one in found if one.event == "signed_in"] == [{}]


def test_erase_ends_the_sessions_and_keeps_their_ids_for_the_feed(
    erasure, database, filled, clock
):
    erases(erasure, filled)

    sessions = SqlSessions(database, clock)
    assert sessions.of(ALICE) == []
    assert sessions.by_secret("secret-alice") is None
    [kept] = [row for row in tables(database)["sessions"] if row["did"] != BOB]
    assert (kept["sid"], kept["did"], kept["ended_at"]) == ("sid-alice", MARK, NOON)
    assert kept["device"] == ""
    assert kept["oauth_session_id"] is None


def test_erase_holds_all_names_of_the_account_for_no_account(erasure, database, filled):
    erases(erasure, filled)

    rows = {row["username"]: dict(row) for row in tables(database)["username_holds"]}
    assert rows["liddell"]["expires_at"] == NOON + 200
    assert rows["alice"]["expires_at"] == NOON + 100
    assert {row["did"] for row in rows.values()} == {None}


def test_erase_blanks_the_login_that_an_app_waits_for(
    erasure, database, cipher, filled
):
    erases(erasure, filled)

    logins = SqlNativeLogins(database, cipher)
    assert logins.get("waits-alice").identifier == ""
    assert logins.get("done-alice") is None
    assert logins.get("waits-bob").identifier == "bob.test"


def test_erase_of_an_account_that_is_gone_returns_none(erasure, database, filled):
    erases(erasure, filled)

    assert erases(erasure, filled) is None


def test_erase_that_fails_takes_everything_back(erasure, database, filled, monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(erasure, "_blank", fail)
    before = tables(database)

    with pytest.raises(RuntimeError):
        erases(erasure, filled)

    assert tables(database) == before
