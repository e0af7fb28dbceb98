"""The protocols of `app.atproto.stores.protocols`, kept by every store that we ship."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from anyio.from_thread import start_blocking_portal

from app.atproto.aio.stores import BridgedCache, BridgedSessions, bridge_states
from app.atproto.aio.workers import Workers
from app.atproto.stores.files import FileSessionStore, FileStateStore
from app.atproto.stores.memory import MemoryCache, MemorySessionStore, MemoryStateStore
from app.stores.cache import SqlCache
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.people.oauth_sessions import SqlSessionStore
from tests.atproto.aio.wired import AsyncCached, AsyncSessions, AsyncStates
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB, auth_request, oauth_session


@pytest.fixture
def workers():
    """An event loop in a thread, in which asynchronous stores are awaited."""

    @asynccontextmanager
    async def opened():
        pool = Workers(threads=1)
        await pool.open()
        yield pool
        await pool.close(lambda: None)

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(opened()) as pool,
    ):
        yield pool


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.process),
        "files",
        "asynchronous",
    ]
)
def backend(request):
    return request.param


@pytest.fixture
def states(backend, request, cipher, clock, tmp_path):
    if backend == "memory":
        return MemoryStateStore(clock)
    if backend == "files":
        return FileStateStore(tmp_path, clock)
    if backend == "asynchronous":
        plain = AsyncStates(MemoryStateStore(clock))
        return bridge_states(plain, request.getfixturevalue("workers"))
    return SqlStateStore(request.getfixturevalue("database"), cipher, clock)


@pytest.fixture
def sessions(backend, request, cipher, tmp_path):
    if backend == "memory":
        return MemorySessionStore()
    if backend == "files":
        return FileSessionStore(tmp_path)
    if backend == "asynchronous":
        plain = AsyncSessions(MemorySessionStore())
        return BridgedSessions(plain, request.getfixturevalue("workers"))
    return SqlSessionStore(request.getfixturevalue("database"), cipher)


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.process),
        "asynchronous",
    ]
)
def cache(request, clock):
    if request.param == "memory":
        return MemoryCache(clock)
    if request.param == "asynchronous":
        plain = AsyncCached(MemoryCache(clock))
        return BridgedCache(plain, request.getfixturevalue("workers"))
    return SqlCache(request.getfixturevalue(f"{request.param}_database"), clock)


# --- auth requests ----------------------------------------------------------------


def test_an_auth_request_comes_back_as_it_was_put(states):
    request = auth_request()
    states.put(request)

    assert states.get(request.state) == request
    assert states.take(request.state) == request


def test_an_auth_request_may_lack_all_that_is_optional(states):
    request = auth_request(
        browser_secret_hash=None,
        did=None,
        handle=None,
        pds=None,
        login_hint=None,
        client_kid=None,
        as_nonce=None,
        verified_at=None,
        app_state="",
    )
    states.put(request)

    assert states.take(request.state) == request


def test_looking_at_an_auth_request_does_not_take_it(states):
    states.put(auth_request())

    assert states.get("canary-state") == states.get("canary-state")
    assert states.take("canary-state") is not None


def test_an_auth_request_is_taken_once(states):
    states.put(auth_request())
    states.take("canary-state")

    assert states.take("canary-state") is None
    assert states.get("canary-state") is None


def test_taking_one_auth_request_leaves_the_others(states):
    states.put(auth_request("one"))
    states.put(auth_request("two"))
    states.take("one")

    assert states.get("two") == auth_request("two")


def test_an_unknown_state_is_nothing(states):
    assert states.get("never-put") is None
    assert states.take("never-put") is None


def test_an_expired_auth_request_is_nothing(states, clock):
    states.put(auth_request(expires_at=clock() + 60))
    clock.advance(60)

    assert states.get("canary-state") is None
    assert states.take("canary-state") is None


def test_the_dpop_key_of_a_stored_request_still_signs_the_same(states):
    request = auth_request()
    states.put(request)

    taken = states.take(request.state)

    assert taken.dpop_key.private_jwk() == request.dpop_key.private_jwk()


# --- OAuth sessions ---------------------------------------------------------------


def test_an_oauth_session_comes_back_as_it_was_put(sessions):
    session = oauth_session()
    sessions.put(session)

    assert sessions.get(ALICE, "grant-1") == session


def test_an_oauth_session_may_lack_all_that_is_optional(sessions):
    session = oauth_session(
        handle=None,
        client_kid=None,
        client_thumbprint=None,
        refresh_token=None,
        expires_at=None,
        revocation_endpoint=None,
        as_nonce=None,
        pds_nonce=None,
    )
    sessions.put(session)

    assert sessions.get(ALICE, "grant-1") == session


def test_putting_an_oauth_session_again_replaces_all_of_it(sessions):
    sessions.put(oauth_session())
    changed = oauth_session(
        handle="alice.elsewhere.test",
        issuer="https://other.test",
        pds="https://pds.other.test",
        client_id="https://app.test/other.json",
        auth_method="none",
        client_kid=None,
        client_thumbprint=None,
        access_token="access-2",
        refresh_token="refresh-2",
        scope="atproto transition:generic",
        expires_at=None,
        token_endpoint="https://other.test/token",
        revocation_endpoint=None,
        as_nonce=None,
        pds_nonce="nonce-2",
        created_at=1.0,
        refreshed_at=2.0,
        verified_at=3.0,
    )
    sessions.put(changed)

    assert sessions.get(ALICE, "grant-1") == changed


def test_sessions_of_one_account_are_independent(sessions):
    first, second = oauth_session(), oauth_session(session_id="grant-2")
    sessions.put(first)
    sessions.put(second)
    sessions.delete(ALICE, "grant-1")

    assert sessions.get(ALICE, "grant-1") is None
    assert sessions.get(ALICE, "grant-2") == second


def test_a_session_id_alone_opens_nothing(sessions):
    sessions.put(oauth_session())

    assert sessions.get(BOB, "grant-1") is None
    assert sessions.delete(BOB, "grant-1") is None
    assert sessions.get(ALICE, "grant-1") is not None


def test_an_oauth_session_is_deleted_once_and_handed_out(sessions):
    session = oauth_session()
    sessions.put(session)

    assert sessions.delete(ALICE, "grant-1") == session
    assert sessions.delete(ALICE, "grant-1") is None


def test_storing_a_session_does_not_change_the_record(sessions):
    session = oauth_session()
    before = replace(session)
    sessions.put(session)

    assert session == before


# --- leases -----------------------------------------------------------------------


def lease(sessions, holder="one", *, at=NOON, seconds=45.0, session_id="grant-1"):
    return sessions.lease(ALICE, session_id, holder=holder, until=at + seconds, now=at)


def test_a_lease_hands_out_the_session_as_it_is(sessions):
    sessions.put(oauth_session())

    assert lease(sessions) == oauth_session()


def test_leased_session_is_readable_and_not_leased_again(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")

    assert lease(sessions, "two", at=NOON + 44) is None
    assert sessions.get(ALICE, "grant-1") == oauth_session()


def test_a_lease_is_over_when_its_time_is_up(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")

    assert lease(sessions, "two", at=NOON + 45) == oauth_session()
    assert lease(sessions, "one", at=NOON + 46) is None


def test_a_released_session_can_be_leased_again(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")
    sessions.release(ALICE, "grant-1", holder="one")

    assert lease(sessions, "two") == oauth_session()


def test_release_with_another_lease_changes_nothing(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")
    sessions.release(ALICE, "grant-1", holder="two")

    assert lease(sessions, "two") is None


def test_lease_of_a_deleted_session_returns_none(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")
    sessions.delete(ALICE, "grant-1")
    sessions.release(ALICE, "grant-1", holder="one")

    assert lease(sessions, "two", at=NOON + 100) is None
    assert sessions.lease(BOB, "x", holder="one", until=NOON + 1, now=NOON) is None


def test_replacing_writes_all_of_the_session_and_ends_the_lease(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")
    renewed = oauth_session(
        handle=None,
        pds="https://pds.other.test",
        access_token="access-2",
        refresh_token=None,
        scope="atproto transition:generic",
        expires_at=None,
        token_endpoint="https://auth.test/token-2",
        revocation_endpoint=None,
        as_nonce="nonce-2",
        pds_nonce=None,
        refreshed_at=NOON + 100,
        verified_at=NOON + 99,
    )

    assert sessions.replace(renewed, holder="one")

    assert sessions.get(ALICE, "grant-1") == renewed
    assert lease(sessions, "two") == renewed


def test_replace_with_an_expired_untaken_lease_succeeds(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one", at=NOON - 1_000)

    assert sessions.replace(oauth_session(access_token="access-2"), holder="one")


def test_only_the_holder_replaces_a_session(sessions):
    sessions.put(oauth_session())
    assert not sessions.replace(oauth_session(access_token="x"), holder="one")
    lease(sessions, "one")
    lease(sessions, "two", at=NOON + 45)

    assert not sessions.replace(oauth_session(access_token="x"), holder="one")
    assert sessions.get(ALICE, "grant-1") == oauth_session()
    assert sessions.replace(oauth_session(access_token="y"), holder="two")
    assert not sessions.replace(oauth_session(access_token="z"), holder="two")


def test_replacing_makes_no_session_out_of_nothing(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")
    sessions.delete(ALICE, "grant-1")

    assert not sessions.replace(oauth_session(), holder="one")
    assert sessions.get(ALICE, "grant-1") is None


def test_a_lease_covers_one_session_of_an_account(sessions):
    sessions.put(oauth_session())
    sessions.put(oauth_session(session_id="grant-2"))
    lease(sessions, "one")
    second = lease(sessions, "two", session_id="grant-2")
    sessions.replace(replace(second, access_token="access-2"), holder="two")

    assert second == oauth_session(session_id="grant-2")
    assert sessions.get(ALICE, "grant-1") == oauth_session()
    assert lease(sessions, "three") is None


def test_putting_a_session_again_leaves_its_lease(sessions):
    sessions.put(oauth_session())
    lease(sessions, "one")
    sessions.put(oauth_session(access_token="access-2"))

    assert lease(sessions, "two") is None


# --- cache ------------------------------------------------------------------------


def test_a_cached_value_is_there_until_its_lifetime_is_over(cache, clock):
    cache.put("document", "{}", lifetime=300)
    clock.advance(299)

    assert cache.get("document") == "{}"

    clock.advance(1)

    assert cache.get("document") is None


def test_a_cached_value_is_replaced_with_its_lifetime(cache, clock):
    cache.put("nonce", "one", lifetime=300)
    cache.put("nonce", "two", lifetime=10)

    assert cache.get("nonce") == "two"

    clock.advance(10)

    assert cache.get("nonce") is None


def test_a_deleted_value_is_gone(cache):
    cache.put("document", "{}", lifetime=300)
    cache.delete("document")
    cache.delete("document")

    assert cache.get("document") is None


def test_an_empty_value_is_a_value(cache, clock):
    cache.put("nothing", "", lifetime=300)
    clock.advance(100)

    assert cache.get("nothing") == ""
