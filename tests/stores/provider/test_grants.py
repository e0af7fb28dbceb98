"""Grants on both databases: what lives, what ends, and one successor for each token."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.flows.provider.grants.records import App, GrantLifetimes, ListedGrant
from app.flows.sessions.rotation import GRACE, first_token, next_token
from app.stores.people.accounts import SqlAccounts
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from app.stores.provider.clients import SqlClients
from app.stores.provider.consents import SqlConsents
from app.stores.provider.grants import SqlGrants
from app.stores.provider.tokens import SqlAccessTokens
from app.stores.sweep import SqlExpired
from tests.fakes.clock import NOON
from tests.stores.samples import (
    ALICE,
    BOB,
    access_token,
    app_grant,
    consent,
    oauth_client,
    session,
    user,
)

DAY = 86_400
LIFETIMES = GrantLifetimes(longest=90 * DAY, idle=30 * DAY)
OFFLINE = "openid offline_access"


@pytest.fixture
def clients(database):
    store = SqlClients(database)
    store.add(oauth_client(), most=9)
    return store


@pytest.fixture
def sessions(database, clock):
    store = SqlSessions(database, clock)
    store.add(session(), secret="secret-1")
    return store


@pytest.fixture
def grants(database, clients, sessions):
    """The store of grants, for Alice and Bob, who are signed in, and one client."""
    users = SqlUsers(database)
    users.add(user(), skeleton="alice")
    users.add(user(did=BOB, username="bob", handle=None), skeleton="bob")
    sessions.add(session(sid="sid-bob", did=BOB), secret="secret-bob")
    return SqlGrants(database)


@pytest.fixture
def rotate(grants, clock):
    return lambda token: grants.rotate(token, lifetimes=LIFETIMES, now=clock())


def start(grants, clock, **changes):
    """Store a grant and return its first refresh token."""
    grants.add(app_grant(**changes), most=20)
    token = first_token()
    assert grants.start_refresh("grant-1", token, now=clock())
    return token


def test_living_returns_grant_account_and_client(grants, clock):
    grants.add(app_grant(), most=20)

    living = grants.living("grant-1", now=clock())

    assert living.grant == app_grant()
    assert living.user == user()
    assert living.client == replace(
        oauth_client(), allow=tuple(sorted(oauth_client().allow))
    )
    assert grants.living("grant-2", now=clock()) is None


@pytest.mark.parametrize("scope", ["openid", OFFLINE])
def test_grant_ends_with_its_session_unless_it_is_offline(
    grants, sessions, clock, scope
):
    grants.add(app_grant(scope=scope), most=20)
    sessions.end("sid-1", clock())

    is_living = grants.living("grant-1", now=clock()) is not None
    assert is_living is (scope == OFFLINE)


def test_scope_that_contains_the_words_of_offline_access_is_not_it(
    grants, sessions, clock
):
    grants.add(app_grant(scope="openid offline_access_not xoffline_access"), most=20)
    sessions.end("sid-1", clock())

    assert grants.living("grant-1", now=clock()) is None


def test_grant_of_a_session_of_another_account_is_dead(grants, clock):
    grants.add(app_grant(session_id="sid-bob"), most=20)

    assert grants.living("grant-1", now=clock()) is None


@pytest.mark.parametrize("how", ["expired", "disabled", "client", "removed", "ended"])
def test_offline_grant_is_dead_when_it_is(grants, clients, database, clock, how):
    grants.add(app_grant(scope=OFFLINE), most=20)
    match how:
        case "expired":
            clock.advance(30 * DAY)
        case "disabled":
            SqlAccounts(database).disable(ALICE, clock())
        case "client":
            clients.change("app", lambda one: replace(one, disabled_at=clock()))
        case "removed":
            clients.remove("app")
        case "ended":
            assert grants.end("grant-1").grant_id == "grant-1"
            assert grants.end("grant-1") is None

    assert grants.living("grant-1", now=clock()) is None
    assert grants.list(now=clock()) == []


def test_add_beyond_the_most_ends_the_one_not_used_for_longest(grants, clock):
    for number, used_at in enumerate((NOON + 5, NOON, NOON + 9)):
        grants.add(app_grant(str(number), used_at=used_at), most=3)
    grants.add(app_grant("of-bob", did=BOB, session_id="sid-bob"), most=3)
    grants.add(app_grant("new"), most=3)

    left = {one.grant.grant_id for one in grants.list(now=clock())}
    assert left == {"0", "2", "new", "of-bob"}


def test_add_removes_grants_without_tokens_before_those_in_use(grants, database, clock):
    """A page that leads a person to an app again and again ends no sign-in there."""
    grants.add(app_grant("refreshes"), most=3)
    assert grants.start_refresh("refreshes", first_token(), now=NOON)
    grants.add(app_grant("has-token"), most=3)
    SqlAccessTokens(database).add(
        access_token(grant_id="has-token"), secret="one", most=9
    )
    for number in range(4):
        grants.add(app_grant(str(number), used_at=NOON + 9), most=3)

    left = {one.grant.grant_id for one in grants.list(now=clock())}
    assert left == {"refreshes", "has-token", "3"}


def test_add_removes_dead_grants_before_living_ones(grants, sessions, clock):
    sessions.add(session(sid="sid-2"), secret="secret-2")
    grants.add(app_grant("living"), most=2)
    grants.add(app_grant("dead", session_id="sid-2", used_at=NOON + 9), most=2)
    sessions.end("sid-2", clock())
    grants.add(app_grant("new"), most=2)

    left = {one.grant.grant_id for one in grants.list(now=clock())}
    assert left == {"living", "new"}


def test_rotate_brings_one_successor_and_notes_the_use(grants, rotate, clock):
    token = start(grants, clock, scope=OFFLINE)
    clock.advance(3600)

    rotated = rotate(token)

    assert rotated.verdict == "rotate"
    living = grants.by_refresh_token(rotated.token, now=clock())
    assert living.grant.used_at == int(clock())
    assert living.grant.expires_at == int(clock()) + 30 * DAY
    clock.advance(GRACE)
    assert rotate(token).token == rotated.token
    assert rotate(token).verdict == "repeat"


def test_use_prolongs_no_grant_beyond_its_lifetime(grants, rotate, clock):
    token = start(grants, clock, scope=OFFLINE)
    for _ in range(3):
        clock.advance(29 * DAY)
        token = rotate(token).token
    clock.advance(3 * DAY)

    assert rotate(token).verdict == "unknown"


def test_use_prolongs_no_grant_that_ends_with_its_session(grants, rotate, clock):
    token = start(grants, clock)
    clock.advance(3600)
    rotate(token)

    [listed] = grants.list(now=clock())
    assert listed.grant.expires_at == app_grant().expires_at


@pytest.mark.parametrize("how", ["successor used", "too late", "swept"])
def test_reuse_ends_the_grant_and_its_tokens(grants, rotate, database, clock, how):
    token = start(grants, clock)
    tokens = SqlAccessTokens(database)
    tokens.add(access_token(), secret="access", most=9)
    successor = rotate(token).token
    match how:
        case "successor used":
            rotate(successor)
        case "too late":
            clock.advance(GRACE + 1)
        case "swept":
            assert SqlExpired(database).delete("provider_successors", clock()) == 1

    assert rotate(token).verdict == "reused"
    assert grants.living("grant-1", now=clock()) is None
    assert tokens.find("access", now=clock()) is None
    assert rotate(successor).verdict == "unknown"


def test_first_token_that_was_not_used_has_no_previous_one(grants, rotate, clock):
    token = start(grants, clock)

    assert rotate(next_token(token)).verdict == "reused"
    assert rotate(token).verdict == "unknown"


def test_rotate_of_a_dead_grant_changes_nothing(grants, rotate, sessions, clock):
    token = start(grants, clock)
    sessions.end("sid-1", clock())

    assert rotate(token).verdict == "unknown"
    assert rotate(first_token()).verdict == "unknown"
    assert grants.by_refresh_token("nothing", now=clock()) is None


def test_start_refresh_keeps_the_first_chain(grants, clock):
    token = start(grants, clock)

    assert not grants.start_refresh("grant-1", first_token(), now=clock())
    assert not grants.start_refresh("grant-2", first_token(), now=clock())
    assert grants.by_refresh_token(token, now=clock()) is not None


def test_no_token_stands_in_clear(grants, rotate, database, clock):
    token = start(grants, clock)
    successor = rotate(token).token
    SqlAccessTokens(database).add(access_token(), secret="canary", most=9)

    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM provider_grants").all()
        rows += connection.exec_driver_sql("SELECT * FROM provider_tokens").all()
    stored = repr(rows)
    assert not any(one in stored for one in (token, successor, "canary"))


def test_move_binds_the_grants_to_the_new_session(grants, sessions, clock):
    later = NOON + 60 * DAY
    sessions.add(session(sid="sid-2", expires_at=later), secret="secret-2")
    grants.add(app_grant("1"), most=20)
    grants.add(app_grant("2", scope=OFFLINE), most=20)

    assert grants.move("sid-1", "sid-2", expires_at=later) == 2
    sessions.end("sid-1", clock())

    assert grants.living("1", now=clock()).grant.expires_at == later
    offline = grants.living("2", now=clock()).grant
    assert (offline.session_id, offline.expires_at) == ("sid-2", NOON + 30 * DAY)
    assert offline.auth_time == NOON - 100


def test_move_to_a_session_of_another_account_moves_nothing(grants, clock):
    grants.add(app_grant(), most=20)

    assert grants.move("sid-1", "sid-bob", expires_at=NOON + 1) == 0


def test_end_all_ends_those_of_the_account_the_client_or_both(grants, clients, clock):
    clients.add(oauth_client("other"), most=9)

    def fill():
        for name, changes in {
            "alice": {},
            "other": {"client_id": "other"},
            "bob": {"did": BOB, "session_id": "sid-bob"},
        }.items():
            grants.end(name)
            grants.add(app_grant(name, **changes), most=20)

    def left_after(**named):
        fill()
        ended = {one.grant_id for one in grants.end_all(**named)}
        left = {one.grant.grant_id for one in grants.list(now=clock())}
        assert ended | left == {"alice", "other", "bob"}
        return left

    assert left_after(did=ALICE) == {"bob"}
    assert left_after(client_id="app") == {"other"}
    assert left_after(did=ALICE, client_id="app") == {"other", "bob"}
    with pytest.raises(ValueError, match="named"):
        grants.end_all()


def test_list_names_the_account_the_latest_first(grants, clock):
    grants.add(app_grant(), most=20)
    bobs = app_grant("2", did=BOB, session_id="sid-bob", created_at=NOON + 1)
    grants.add(bobs, most=20)

    alices = ListedGrant(grant=app_grant(), username="alice")
    listed = ListedGrant(grant=bobs, username="bob")
    assert grants.list(now=clock()) == [listed, alices]
    assert grants.list(did=ALICE, now=clock()) == [alices]
    assert grants.list(client_id="other", now=clock()) == []
    assert grants.list(did=BOB, client_id="app", now=clock()) == [listed]


def test_consent_keeps_the_words_of_an_earlier_one(database):
    consents = SqlConsents(database)
    consents.give(consent())
    consents.give(consent(scope="groups openid", given_at=NOON + 9))

    found = consents.get(ALICE, "app")
    assert found == consent(scope="openid groups")
    assert found.covers("groups")
    assert not found.covers("openid email")
    assert consents.get(BOB, "app") is None


def test_withdraw_deletes_one_consent_or_all(database):
    consents = SqlConsents(database)
    for client_id in ("a", "b", "c"):
        consents.give(consent(client_id=client_id))
    consents.give(consent(did=BOB))

    assert consents.withdraw(ALICE, client_id="a") == ["a"]
    assert consents.withdraw(ALICE, client_id="a") == []
    assert sorted(consents.withdraw(ALICE)) == ["b", "c"]
    assert consents.get(BOB, "app") is not None


def test_removing_a_client_forgets_its_consents(clients, database):
    SqlConsents(database).give(consent())

    clients.remove("app")

    assert SqlConsents(database).get(ALICE, "app") is None


def test_apps_join_consents_and_living_grants(grants, clients, sessions, database):
    consents = SqlConsents(database)
    clients.add(oauth_client("allowed"), most=9)
    consents.give(consent(client_id="allowed"))
    consents.give(consent(given_at=NOON - 50))
    grants.add(app_grant("1", used_at=NOON + 5), most=20)
    grants.add(app_grant("2", scope="openid groups", used_at=NOON + 3), most=20)

    assert consents.apps(BOB, now=NOON) == []
    registration = oauth_client().registration
    signed_in = App(
        registration=registration,
        client_id="app",
        scope="openid profile groups",
        since=NOON - 50,
        used_at=NOON + 5,
    )
    allowed = App(
        registration=registration,
        client_id="allowed",
        scope="openid",
        since=NOON,
        used_at=None,
    )
    assert consents.apps(ALICE, now=NOON) == [allowed, signed_in]
    sessions.end("sid-1", NOON)
    found = {app.client_id: app.used_at for app in consents.apps(ALICE, now=NOON)}
    assert found == {"allowed": None, "app": None}


def test_access_token_is_found_until_it_expires_or_its_client_drops_it(
    database, grants, clock
):
    grants.add(app_grant(), most=9)
    tokens = SqlAccessTokens(database)
    tokens.add(access_token(), secret="one", most=9)
    tokens.add(access_token(), secret="two", most=9)

    assert tokens.find("one", now=clock()) == access_token()
    assert tokens.find("three", now=clock()) is None
    assert not tokens.drop("one", client_id="other")
    assert tokens.drop("one", client_id="app")
    assert not tokens.drop("one", client_id="app")
    assert tokens.find("one", now=clock()) is None
    clock.advance(900)
    assert tokens.find("two", now=clock()) is None


def test_access_tokens_beyond_the_most_end_the_oldest(database, clock):
    tokens = SqlAccessTokens(database)
    for number in range(4):
        tokens.add(access_token(issued_at=NOON + number), secret=str(number), most=3)

    found = [tokens.find(str(number), now=clock()) is not None for number in range(4)]
    assert found == [False, True, True, True]


# --- a client's own: revocation and introspection -------------------------------------


def test_is_current_is_true_for_the_newest_refresh_token_alone(grants, rotate, clock):
    first = start(grants, clock)
    assert grants.is_current(first)

    second = rotate(first).token

    assert grants.is_current(second)
    assert not grants.is_current(first)
    assert not grants.is_current(next_token(second))
    assert not grants.is_current("nothing")


def test_end_by_refresh_token_takes_any_token_of_the_chain_from_its_client(
    grants, rotate, clock
):
    first = start(grants, clock)
    rotate(first)

    assert grants.end_by_refresh_token(first, client_id="other") is None
    assert grants.end_by_refresh_token("nothing", client_id="app") is None
    assert grants.end_by_refresh_token(first, client_id="app").grant_id == "grant-1"
    assert grants.end_by_refresh_token(first, client_id="app") is None
    assert grants.living("grant-1", now=clock()) is None
