"""The protocols of `app.atproto.stores`, kept by every store that we ship."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.atproto.memory import MemoryCache, MemorySessionStore, MemoryStateStore
from app.stores.auth_requests import SqlStateStore
from app.stores.cache import SqlCache
from app.stores.oauth_sessions import SqlSessionStore
from tests.stores.samples import ALICE, BOB, auth_request, oauth_session


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def backend(request):
    return request.param


@pytest.fixture
def states(backend, request, cipher, clock):
    if backend == "memory":
        return MemoryStateStore(clock)
    return SqlStateStore(request.getfixturevalue("database"), cipher, clock)


@pytest.fixture
def sessions(backend, request, cipher):
    if backend == "memory":
        return MemorySessionStore()
    return SqlSessionStore(request.getfixturevalue("database"), cipher)


@pytest.fixture
def cache(backend, request, clock):
    if backend == "memory":
        return MemoryCache(clock)
    return SqlCache(request.getfixturevalue("database"), clock)


# --- auth requests ----------------------------------------------------------------


def test_an_auth_request_comes_back_as_it_was_put(states):
    request = auth_request()
    states.put(request)

    assert states.get(request.state) == request
    assert states.take(request.state) == request


def test_an_auth_request_may_lack_all_that_is_optional(states):
    request = auth_request(
        binding=None,
        did=None,
        handle=None,
        pds=None,
        login_hint=None,
        client_kid=None,
        as_nonce=None,
        evidence_at=None,
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
