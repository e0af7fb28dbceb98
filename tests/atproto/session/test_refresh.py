"""Keeping a session: section 7, against a server that forgives nothing.

The fake ends a session when a refresh token comes twice, or with another key, like the
reference server does. Tokens live for a minute here, so that its nonces stay good and
every token request is one refresh.
"""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.crypto.keys import SigningKey
from app.atproto.errors import (
    AtprotoError,
    HostFailing,
    HostUnreachable,
    RefreshBusy,
    SessionEnded,
)
from app.atproto.stores.memory import MemorySessionStore
from tests.atproto.begun import begun
from tests.atproto.wired import Library
from tests.fakes import faults
from tests.fakes.faults import REMOVED
from tests.fakes.network import Answer, Fault, Sent
from tests.fakes.pds import RESOURCE, FakePds
from tests.fakes.world import PLC, Host, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.atproto.records import OAuthSession
    from tests.fakes.grants import Grant
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
TOKEN = f"{ENTRYWAY}/oauth/token"
METADATA = f"{ENTRYWAY}/.well-known/oauth-authorization-server"
LIFETIME = 60


@pytest.fixture
def library(world: World) -> Library:
    world.skyhost.server.token_lifetime = LIFETIME
    return Library(world)


@pytest.fixture
def session(library: Library, network: FakeNetwork) -> OAuthSession:
    """Alice's session, just begun."""
    made = begun(library, ALICE)
    network.forget()
    return made


def ages(library: Library, seconds: float = LIFETIME) -> None:
    library.world.clock.advance(seconds)


def current(
    library: Library, session: OAuthSession, *, seconds: float = 100.0, **options: Any
) -> OAuthSession:
    """Ask for the session as any caller does who wants to use it, and is patient."""
    live = library.client.restore(session.did, session.session_id)
    return live.refreshing.current(
        session.did, session.session_id, deadline=library.deadline(seconds), **options
    )


def stored(library: Library, session: OAuthSession) -> OAuthSession | None:
    return library.sessions.get(session.did, session.session_id)


def grant_of(library: Library) -> Grant:
    (grant,) = library.world.skyhost.server.grants.all
    return grant


def refreshes(network: FakeNetwork) -> int:
    return len(network.sent(path="/oauth/token"))


def says(status: int, error: str) -> faults.Says:
    """The host refuses, before it has done anything."""
    body = json.dumps({"error": error}).encode()
    return faults.Says(status, body, {"Content-Type": "application/json"})


# --- when ---------------------------------------------------------------------------


def test_a_fresh_token_is_used_as_it_is(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.12: a hundred requests, no refresh, no lookup."""
    for _ in range(100):
        assert current(library, session) == session

    assert network.sent() == []


def test_a_token_is_replaced_shortly_before_it_ends(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.12: and not again once that is done."""
    ages(library, LIFETIME - 5)

    renewed = current(library, session)

    assert renewed.access_token != session.access_token
    assert current(library, session) == renewed
    assert refreshes(network) == 1


def test_tokens_of_an_hour_are_replaced_ten_to_forty_seconds_early(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 7.12: the moment is spread, so that not all sessions wake at once."""
    world.skyhost.server.token_lifetime = 3600
    session = library.logs_in(ALICE)
    ages(library, 3600 - 41)

    assert current(library, session) == session

    ages(library, 31)

    assert current(library, session) != session


def test_tokens_of_seconds_are_not_replaced_at_every_use(
    library: Library, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.2: any lifetime works."""
    world.skyhost.server.token_lifetime = 8
    session = library.logs_in(ALICE)
    ages(library, 5)

    assert current(library, session) == session


def test_a_token_without_an_announced_end_waits_for_a_refusal(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.1: `expires_in` may be absent."""
    network.lay(TOKEN, faults.ChangesJSON({"expires_in": REMOVED}))
    renewed = current(library, session, rejected=session.access_token)
    ages(library, 1_000_000)

    assert renewed.expires_at is None
    assert current(library, session) == renewed


def test_a_refused_token_is_replaced_though_it_is_not_due(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.12: the PDS knows better."""
    renewed = current(library, session, rejected=session.access_token)

    assert renewed.access_token != session.access_token
    assert refreshes(network) == 1


def test_call_with_older_rejected_token_returns_the_newer_one(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.6: another process has refreshed already, nothing is sent."""
    renewed = current(library, session, rejected=session.access_token)

    assert current(library, session, rejected=session.access_token) == renewed
    assert refreshes(network) == 1


# --- what is sent, what is kept -------------------------------------------------------


def test_a_refresh_says_what_the_login_said(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.3: same client, same client key, same DPoP key; no `ath`
    (requirement 5.5).
    """
    current(library, session, rejected=session.access_token)

    (sent,) = network.sent(path="/oauth/token")
    assert set(sent.form) == {
        "grant_type",
        "refresh_token",
        "client_id",
        "client_assertion_type",
        "client_assertion",
    }
    assert sent.form["grant_type"] == "refresh_token"
    assert sent.form["refresh_token"] == session.refresh_token
    assert sent.proof_header["jwk"] == session.dpop_key.bare_jwk()
    assert "ath" not in sent.proof


def test_an_old_session_signs_with_the_key_of_its_login(
    library: Library, session: OAuthSession
) -> None:
    """Requirement 7.3: after a newer key has become the first; the fake ends it
    otherwise.
    """
    library.keys.insert(0, SigningKey.generate("ES256"))

    renewed = current(library, session, rejected=session.access_token)

    assert renewed.client_kid == session.client_kid
    assert grant_of(library).alive


def test_a_public_client_refreshes_without_an_assertion(
    world: World, network: FakeNetwork
) -> None:
    """Requirement 7.3: `none` stays `none`."""
    library = Library(world, public=True)
    session = library.logs_in(ALICE)
    network.forget()

    current(library, session, rejected=session.access_token)

    (sent,) = network.sent(path="/oauth/token")
    assert "client_assertion" not in sent.form
    assert grant_of(library).alive


def test_both_tokens_are_replaced_in_the_same_row(
    library: Library, session: OAuthSession, world: World
) -> None:
    """Requirements 7.5, 7.8: nothing of the session's identity changes with them."""
    ages(library)

    renewed = current(library, session)

    grant = grant_of(library)
    assert stored(library, session) == renewed
    assert renewed == replace(
        session,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_at=world.clock() + LIFETIME,
        refreshed_at=world.clock(),
        verified_at=world.clock(),
        as_nonce=world.skyhost.server.nonces.current(),
    )


def test_the_issuer_is_verified_before_the_token_is_sent(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirements 7.10, 7.15: without caches, though the login has just filled
    them.
    """
    current(library, session, rejected=session.access_token)

    first, *beside, last = (one.url for one in network.sent())
    assert (first, last) == (f"https://{PLC}/{session.did}", TOKEN)
    assert sorted(beside) == sorted([f"{session.pds}{RESOURCE}", METADATA])


def test_a_changed_scope_is_stored(world: World) -> None:
    """Requirement 8.5: permission sets change, and grants with them."""
    asked = "atproto include:app.relay.auth"
    library = Library(world, scope=asked)
    session = library.logs_in(ALICE, scope=asked)
    world.skyhost.server.lies.granted_scope = "atproto repo:app.relay.track"

    renewed = current(library, session, rejected=session.access_token)

    assert renewed.scope == "atproto repo:app.relay.track"


def test_words_that_were_not_asked_for_are_dropped_at_a_refresh_too(
    library: Library, session: OAuthSession, world: World
) -> None:
    """Requirement 8.9: as at the login, where the same words were dropped."""
    world.skyhost.server.lies.granted_scope = f"{session.scope} rpc:com.evil.*?aud=*"

    renewed = current(library, session, rejected=session.access_token)

    assert renewed.scope == session.scope


def test_refresh_answer_without_refresh_token_is_stored_as_the_last(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.5: used to its very end, then the person signs in again."""
    network.lay(TOKEN, faults.ChangesJSON({"refresh_token": REMOVED}))
    last = current(library, session, rejected=session.access_token)
    ages(library, LIFETIME - 1)

    assert last.refresh_token is None
    assert current(library, session) == last

    ages(library, 1)
    network.forget()

    with pytest.raises(SessionEnded) as ended:
        current(library, session)
    assert ended.value.reason == "not_refreshable"
    assert network.sent() == []


@pytest.mark.parametrize(
    "oddity",
    [
        {"expires_in": "soon"},
        {"expires_in": -1},
        {"expires_in": 1e300},
        {"expires_in": 10**400},
        {"scope": 7},
        {"scope": ""},
        {"scope": "transition:generic"},
        {"token_type": "Bearer"},
        {"sub": REMOVED},
        {"access_token": "with a space"},
        {"access_token": REMOVED},
    ],
    ids=str,
)
def test_new_refresh_token_of_an_odd_answer_is_stored(
    library: Library, session: OAuthSession, network: FakeNetwork, oddity: Any
) -> None:
    """Requirement 7.8: the pair first, opinions later."""
    network.lay(TOKEN, faults.ChangesJSON(oddity), times=1)

    renewed = current(library, session, rejected=session.access_token)

    assert stored(library, session) == renewed
    assert renewed.refresh_token == grant_of(library).refresh_token
    ages(library)
    assert current(library, session).access_token == grant_of(library).access_token


def test_an_answer_for_another_account_ends_the_session(
    library: Library, session: OAuthSession, world: World
) -> None:
    """Section 13: and what came is revoked."""
    world.skyhost.server.lies.subject = world.bob.did

    with pytest.raises(SessionEnded) as ended:
        current(library, session, rejected=session.access_token)

    assert ended.value.reason == "subject"
    assert stored(library, session) is None
    assert not grant_of(library).alive


def test_an_answer_without_nonce_is_stored_and_noted(
    library: Library, session: OAuthSession, world: World, caplog: Any
) -> None:
    """Requirement 5.9: dropping a rotated token would end the session."""
    world.skyhost.server.lies.forgets_nonce = True

    with caplog.at_level(logging.INFO):
        renewed = current(library, session, rejected=session.access_token)

    assert stored(library, session) == renewed
    assert "no DPoP nonce" in caplog.text


def test_a_nonce_that_cannot_be_kept_costs_no_tokens(
    library: Library, session: OAuthSession, monkeypatch: Any, caplog: Any
) -> None:
    """Requirement 7.8: the answer that brought the nonce holds the only copy of
    the new pair.
    """
    library.cache.delete(f"nonce:{ENTRYWAY}")
    monkeypatch.setattr(library.cache, "put", fails_for_nonces(library.cache.put))

    renewed = current(library, session, rejected=session.access_token)

    assert stored(library, session) == renewed
    assert renewed.refresh_token == grant_of(library).refresh_token
    assert "a nonce is not cached" in caplog.text


def fails_for_nonces(put: Any) -> Any:
    """A cache that is down by the time the answer is there."""

    def put_or_fail(key: str, value: str, *, lifetime: float) -> None:
        if key.startswith("nonce:"):
            raise OSError("the cache is down")
        put(key, value, lifetime=lifetime)

    return put_or_fail


# --- once -----------------------------------------------------------------------------


def test_twenty_threads_make_one_token_request(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.6."""
    ages(library)
    together = threading.Barrier(20)

    def asks(_: int) -> str:
        together.wait(30)
        return current(library, session).access_token

    with ThreadPoolExecutor(20) as pool:
        tokens = set(pool.map(asks, range(20)))

    assert tokens == {grant_of(library).access_token}
    assert refreshes(network) == 1


def lease_elsewhere(library: Library, session: OAuthSession) -> None:
    """Another process has begun to refresh."""
    now = library.clock()
    leased = library.sessions.lease(
        session.did, session.session_id, holder="elsewhere", until=now + 45, now=now
    )
    assert leased is not None


def test_second_caller_waits_for_the_tokens_of_the_first(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.6: and sends nothing."""
    ages(library)
    lease_elsewhere(library, session)
    theirs = replace(
        session, access_token="theirs", expires_at=library.clock() + LIFETIME
    )
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            library.sessions.replace(theirs, holder="elsewhere")

    library.sleep = sleep

    assert current(library, session) == theirs
    assert pauses == sorted(set(pauses))
    assert network.sent() == []


def test_the_row_is_read_again_under_the_lease(
    world: World, library: Library, network: FakeNetwork
) -> None:
    """Requirement 7.6: a refresh may end between the look and the lease."""

    class Overtaken(MemorySessionStore):
        def lease(self, did: Any, session_id: str, **term: Any) -> OAuthSession | None:
            before = self.get(did, session_id)
            assert before is not None
            fresh = replace(before, access_token="theirs", expires_at=None)
            self.put(fresh)
            return super().lease(did, session_id, **term)

    overtaken = Library(world, sessions=Overtaken())
    session = overtaken.logs_in(ALICE)
    ages(overtaken)
    network.forget()

    assert current(overtaken, session).access_token == "theirs"
    assert network.sent() == []
    assert overtaken.sessions.lease(
        session.did, session.session_id, holder="next", until=1e12, now=0.0
    ), "the lease was given back"


def test_a_holder_that_died_is_passed_over_when_its_lease_ends(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.6: it had sent nothing, so the session goes on."""
    ages(library)
    lease_elsewhere(library, session)
    began = library.clock()

    renewed = current(library, session)

    assert renewed.access_token == grant_of(library).access_token
    assert 44 <= library.clock() - began <= 46
    assert grant_of(library).spent == {session.refresh_token}


def test_session_of_holder_that_died_with_the_answer_ends_as_revoked(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.7: the host forgives nothing; the next caller learns it, once."""
    ages(library)
    lease_elsewhere(library, session)
    grant_of(library).spent.add(str(session.refresh_token))

    with pytest.raises(SessionEnded):
        current(library, session)
    network.forget()
    with pytest.raises(SessionEnded) as ended:
        current(library, session)

    assert ended.value.reason == "unknown"
    assert network.sent() == []
    assert library.world.skyhost.server.grants.alive(session.did) == []


def test_wait_for_a_lease_holder_ends_with_its_lease(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    ages(library)
    lease_elsewhere(library, session)
    began = library.clock()

    def sleep(seconds: float) -> None:
        ages(library, seconds)
        library.sessions.release(session.did, session.session_id, holder="elsewhere")
        lease_elsewhere(library, session)

    library.sleep = sleep

    with pytest.raises(RefreshBusy, match="does not end"):
        current(library, session)
    assert library.clock() - began <= 61
    assert stored(library, session) == session
    assert network.sent() == []


@dataclass
class Gate(Fault):
    """The answer waits until the test lets it through."""

    asked: threading.Event
    opened: threading.Event

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        self.asked.set()
        assert self.opened.wait(10)
        return answer


def test_a_refresh_goes_on_when_the_caller_has_no_time_left(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.10: what is under way is stored, for the next caller."""
    gate = Gate(threading.Event(), threading.Event())
    network.lay(TOKEN, gate)
    ages(library)

    with pytest.raises(RefreshBusy):
        current(library, session, seconds=0.0)
    assert gate.asked.wait(10)
    gate.opened.set()

    assert current(library, session).access_token == grant_of(library).access_token
    assert refreshes(network) == 1


def test_refresh_after_suspension_beyond_the_budget_sends_nothing(
    world: World, network: FakeNetwork
) -> None:
    """Requirement 7.7: another process may have used the token meanwhile."""
    slept = [0.0]
    library = Library(world, clock=lambda: world.clock() + slept[0])
    session = library.logs_in(ALICE)

    class Sleeps(Fault):
        def before(self, sent: Sent, timeout: float) -> None:
            slept[0] = 3600.0

    network.lay(METADATA, Sleeps(), times=1)
    network.forget()

    with pytest.raises(RefreshBusy):
        current(library, session, rejected=session.access_token)

    assert refreshes(network) == 0
    assert stored(library, session) == session


# --- what ends a session, and what does not (requirement 7.17) ------------------------

KEEPS: dict[str, tuple[str, Callable[[], Fault]]] = {
    "connection refused": (TOKEN, faults.Refuses),
    "an HTML 502": (TOKEN, faults.bad_gateway),
    "a 429": (TOKEN, faults.too_many),
    "an HTML page with 200": (TOKEN, faults.a_page),
    "JSON without tokens": (TOKEN, lambda: says(200, "under maintenance")),
    "an HTML page with 403": (TOKEN, lambda: faults.a_page(403)),
    "a redirect": (TOKEN, lambda: faults.redirect("https://elsewhere.social/")),
    "a 404": (TOKEN, faults.missing),
    "invalid_client": (TOKEN, lambda: says(400, "invalid_client")),
    "invalid_client, 401": (TOKEN, lambda: says(401, "invalid_client")),
    "invalid_client_metadata": (TOKEN, lambda: says(400, "invalid_client_metadata")),
    "server_error": (TOKEN, lambda: says(400, "server_error")),
    "temporarily_unavailable": (TOKEN, lambda: says(400, "temporarily_unavailable")),
    "invalid_grant from a 5xx": (TOKEN, lambda: says(503, "invalid_grant")),
    "slow_down": (TOKEN, lambda: says(400, "slow_down")),
    "own words with 403": (TOKEN, lambda: says(403, "Session expired")),
    "invalid_dpop_proof": (TOKEN, lambda: says(401, "invalid_dpop_proof")),
    "a nonce that is never named": (TOKEN, lambda: says(400, "use_dpop_nonce")),
    "PLC down": (f"https://{PLC}/*", faults.Refuses),
    "PLC 503": (f"https://{PLC}/*", lambda: faults.Says(503)),
    "PLC 404": (f"https://{PLC}/*", faults.missing),
    "PLC 410": (f"https://{PLC}/*", lambda: faults.Says(410)),
    "PDS down": (f"https://pds.skyhost.social{RESOURCE}", faults.Refuses),
    "PDS 502": (f"https://pds.skyhost.social{RESOURCE}", faults.bad_gateway),
    "PDS without OAuth": (f"https://pds.skyhost.social{RESOURCE}", faults.missing),
    "metadata down": (METADATA, faults.Refuses),
    "metadata HTML": (METADATA, faults.a_page),
}
NOTHING_ARRIVES = {"PLC", "PDS", "met"}


@pytest.mark.parametrize("trouble", KEEPS)
def test_trouble_keeps_the_session(
    library: Library, session: OAuthSession, network: FakeNetwork, trouble: str
) -> None:
    """Requirements 7.16, 7.17, 10.1: try later, with the same tokens."""
    url, fault = KEEPS[trouble]
    url = url.replace("*", session.did)
    network.lay(url, fault())

    with pytest.raises(AtprotoError) as error:
        current(library, session, rejected=session.access_token)

    assert not isinstance(error.value, SessionEnded)
    assert stored(library, session) == session
    if trouble[:3] in NOTHING_ARRIVES:
        assert refreshes(network) == 0

    network.mend(url)

    renewed = current(library, session, rejected=session.access_token)
    assert renewed.access_token == grant_of(library).access_token


OWN_WORDS = ["invalid_request", "unauthorized_client", "Refresh token expired"]


@pytest.mark.parametrize("words", OWN_WORDS)
@pytest.mark.parametrize("status", [400, 401])
def test_refresh_refused_in_own_words_returns_refused_and_keeps_the_session(
    library: Library,
    session: OAuthSession,
    network: FakeNetwork,
    status: int,
    words: str,
) -> None:
    """Requirement 7.17: the server is asked again after five minutes, and may then
    agree.
    """
    network.lay(TOKEN, says(status, words))

    for _ in range(3):
        with pytest.raises(SessionEnded) as ended:
            current(library, session, rejected=session.access_token)
        assert ended.value.reason == "refused"
    assert refreshes(network) == 1

    ages(library, 300)
    with pytest.raises(SessionEnded):
        current(library, session)
    assert refreshes(network) == 2

    network.mend(TOKEN)
    ages(library, 300)
    renewed = current(library, session)
    assert renewed.access_token == grant_of(library).access_token
    assert (renewed.refused_at, renewed.retry_at) == (None, None)
    assert current(library, session) == renewed


def test_refresh_refused_in_own_words_for_a_day_ends_the_session(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.17."""
    network.lay(TOKEN, says(400, "Session expired"))
    for seconds in (86_399, 300):
        with pytest.raises(SessionEnded):
            current(library, session, rejected=session.access_token)
        assert stored(library, session) is not None
        ages(library, seconds)

    with pytest.raises(SessionEnded):
        current(library, session)

    assert stored(library, session) is None


def test_refresh_refused_in_own_words_keeps_a_valid_token(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.17: the access token was neither refused nor has it expired."""
    network.lay(TOKEN, says(400, "Session expired"))
    ages(library, LIFETIME - 5)

    with pytest.raises(AtprotoError) as error:
        current(library, session)

    assert not isinstance(error.value, SessionEnded)
    assert stored(library, session) == session


@pytest.mark.parametrize("code", ["invalid_client", "invalid_client_metadata"])
def test_a_refusal_of_the_client_is_an_alert(
    library: Library,
    session: OAuthSession,
    network: FakeNetwork,
    caplog: Any,
    code: str,
) -> None:
    """Requirement 7.17: every session fails like this until the operator acts."""
    network.lay(TOKEN, says(400, code))

    with pytest.raises(AtprotoError):
        current(library, session, rejected=session.access_token)

    (alert,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert code in alert.getMessage()


def test_a_refused_refresh_ends_the_session(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.17: `invalid_grant`; asked once, and never again."""
    grant_of(library).alive = False

    with pytest.raises(SessionEnded) as ended:
        current(library, session, rejected=session.access_token)

    assert ended.value.reason == "revoked"
    assert stored(library, session) is None
    assert refreshes(network) == 1


def test_session_with_missing_client_key_ends_without_a_request(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.4: nothing is sent, nothing is resolved."""
    library.keys[:] = [SigningKey.generate("ES256")]

    with pytest.raises(SessionEnded) as ended:
        current(library, session, rejected=session.access_token)

    assert ended.value.reason == "key_gone"
    assert stored(library, session) is None
    assert network.sent() == []


def test_session_with_reused_key_id_ends_without_a_request(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirements 7.3, 7.4: the thumbprint is compared as well."""
    library.keys[:] = [SigningKey.generate("ES256", kid=session.client_kid)]

    with pytest.raises(SessionEnded) as ended:
        current(library, session, rejected=session.access_token)

    assert ended.value.reason == "key_gone"
    assert network.sent() == []


def test_a_logout_during_the_refresh_wins(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.17: the pair that comes too late is revoked, and makes no row
    (requirement 7.8).
    """

    class LogsOut(Fault):
        def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
            library.sessions.delete(session.did, session.session_id)
            return answer

    network.lay(TOKEN, LogsOut())

    with pytest.raises(SessionEnded) as ended:
        current(library, session, rejected=session.access_token)

    assert ended.value.reason == "unknown"
    assert stored(library, session) is None
    assert not grant_of(library).alive


# --- a move (requirements 7.15, 7.16) -------------------------------------------------


def test_a_move_behind_the_same_issuer_takes_the_session_along(
    library: Library, session: OAuthSession, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.15: the PDS is another from now on, and its nonce is not the
    old one's.
    """
    server = world.skyhost.server
    origin = "https://pds-2.skyhost.social"
    pds = FakePds(origin, server, clock=world.clock, handles=world.handles)
    network.serve("pds-2.skyhost.social", pds)
    world.publish(world.alice, Host("skyhost.social", pds, server))
    library.sessions.put(replace(session, pds_nonce="of the old one"))

    renewed = current(library, session, rejected=session.access_token)

    assert renewed.pds == origin
    assert renewed.pds_nonce is None
    assert stored(library, session) == renewed


def test_a_move_to_another_issuer_ends_the_session(
    library: Library, session: OAuthSession, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.16: no refresh at the old server; it is told to end what it has."""
    world.moves(world.alice, world.garden)

    with pytest.raises(SessionEnded) as ended:
        current(library, session, rejected=session.access_token)

    assert ended.value.reason == "moved"
    assert stored(library, session) is None
    assert refreshes(network) == 0
    assert len(network.sent(path="/oauth/revoke")) == 2
    assert not grant_of(library).alive


def test_after_a_move_the_account_signs_in_at_its_new_host_at_once(
    library: Library, session: OAuthSession, world: World
) -> None:
    """Requirement 1.29: what was remembered of the old host is forgotten."""
    world.moves(world.alice, world.garden)
    with pytest.raises(SessionEnded):
        current(library, session, rejected=session.access_token)

    assert library.logs_in(ALICE).issuer == world.garden.server.issuer


def test_a_refresh_is_not_counted_as_a_login(world: World) -> None:
    """Requirement 9.6: limits are for what strangers make us ask."""
    world.settle("web.skyhost.social", world.skyhost, did="did:web:home.elsewhere.cafe")
    heard: list[str] = []
    library = Library(world, before_host=heard.append)
    session = library.logs_in(
        "did:web:home.elsewhere.cafe", account="web.skyhost.social"
    )
    assert "home.elsewhere.cafe" in heard
    heard.clear()

    current(library, session, rejected=session.access_token)

    assert heard == []


# --- a lost answer (requirement 7.11) -------------------------------------------------


def test_refresh_with_lost_answer_ends_the_session_as_lost(
    library: Library, session: OAuthSession, network: FakeNetwork, caplog: Any
) -> None:
    """Requirement 7.11: the same token once more; nothing is lost by trying."""
    network.lay(TOKEN, faults.DropsAnswer(), times=1)

    with pytest.raises(SessionEnded) as ended:
        current(library, session, rejected=session.access_token)

    assert ended.value.reason == "lost"
    assert stored(library, session) is None
    assert refreshes(network) == 2
    assert "refresh_ambiguous" in caplog.text


@pytest.mark.parametrize(
    "trouble", ["timeout", "502", "200 HTML", "200 JSON", "refused"]
)
def test_refresh_that_did_not_arrive_is_sent_once_more(
    library: Library, session: OAuthSession, network: FakeNetwork, trouble: str
) -> None:
    """Requirement 7.11: the session goes on."""
    fault = {
        "timeout": faults.Waits(library.world.clock, 60.0),
        "502": faults.bad_gateway(),
        "200 HTML": faults.a_page(),
        "200 JSON": says(200, "under maintenance"),
        "refused": faults.Refuses(),
    }[trouble]
    network.lay(TOKEN, fault, times=1)

    renewed = current(library, session, rejected=session.access_token)

    assert renewed.access_token == grant_of(library).access_token
    assert refreshes(network) == 2


def test_refresh_without_two_answers_keeps_the_session(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.11: two requests, no loop; the session is kept."""
    network.lay(TOKEN, faults.bad_gateway())

    with pytest.raises(HostFailing):
        current(library, session, rejected=session.access_token)

    assert refreshes(network) == 2
    assert stored(library, session) == session


def test_refresh_answered_with_429_is_not_sent_again(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.17: 429 is an answer."""
    network.lay(TOKEN, faults.too_many())

    with pytest.raises(HostFailing):
        current(library, session, rejected=session.access_token)

    assert refreshes(network) == 1


def test_a_slow_answer_is_waited_for(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.11: an answer that is not waited for is a lost one."""
    network.lay(TOKEN, faults.Waits(library.world.clock, 12.0))

    current(library, session, rejected=session.access_token)

    assert refreshes(network) == 1


# --- the commit (requirements 7.8, 7.9) -----------------------------------------------


class Unwritable(MemorySessionStore):
    """A store whose next commits fail."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.arrives = False
        """The commit is done, and only its answer is lost."""

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        if self.failures:
            self.failures -= 1
            if self.arrives:
                super().replace(session, holder=holder)
            raise OSError("disk full")
        return super().replace(session, holder=holder)


@pytest.fixture
def unwritable(world: World) -> Library:
    return Library(world, sessions=Unwritable())


def test_a_commit_that_fails_is_tried_again(unwritable: Library) -> None:
    """Requirement 7.9: the new pair is all that is left."""
    session = unwritable.logs_in(ALICE)
    unwritable.sessions.failures = 3

    renewed = current(unwritable, session, rejected=session.access_token)

    assert stored(unwritable, session) == renewed
    assert grant_of(unwritable).alive


def test_a_commit_that_failed_for_good_leaves_no_token_alive(
    unwritable: Library, network: FakeNetwork
) -> None:
    """Requirement 7.9: revoked at the host, dead here, said honestly."""
    session = unwritable.logs_in(ALICE)
    unwritable.sessions.failures = 100

    with pytest.raises(SessionEnded) as ended:
        current(unwritable, session, rejected=session.access_token)

    assert ended.value.reason == "lost"
    assert stored(unwritable, session) is None
    assert not grant_of(unwritable).alive


def test_a_commit_whose_confirmation_is_lost_counts(unwritable: Library) -> None:
    """Requirement 7.9: the row is looked at before anything is revoked."""
    session = unwritable.logs_in(ALICE)
    unwritable.sessions.failures, unwritable.sessions.arrives = 1, True

    renewed = current(unwritable, session, rejected=session.access_token)

    assert stored(unwritable, session) == renewed
    assert grant_of(unwritable).alive


def test_a_commit_counts_that_was_done_for_a_host_that_keeps_refresh_tokens(
    unwritable: Library, network: FakeNetwork
) -> None:
    """Requirement 7.5: hosts replace both; if one does not, the access token tells."""
    session = unwritable.logs_in(ALICE)
    unwritable.sessions.failures, unwritable.sessions.arrives = 1, True
    network.lay(TOKEN, faults.ChangesJSON({"refresh_token": session.refresh_token}))

    renewed = current(unwritable, session, rejected=session.access_token)

    assert stored(unwritable, session) == renewed
    assert grant_of(unwritable).alive


class Failing(MemorySessionStore):
    """A store that fails where it only tidies up."""

    def release(self, *key: Any, holder: str) -> None:
        raise OSError("disk full")

    def delete(self, *key: Any) -> OAuthSession | None:
        raise OSError("disk full")


def test_lease_that_cannot_be_released_is_logged(
    world: World, network: FakeNetwork, caplog: Any
) -> None:
    """What the host said is what the caller hears; the lease ends by itself."""
    library = Library(world, sessions=Failing())
    session = library.logs_in(ALICE)
    network.lay(TOKEN, faults.too_many(), times=1)

    with pytest.raises(HostFailing):
        current(library, session, rejected=session.access_token)
    assert "is not released" in caplog.text

    renewed = current(library, session, rejected=session.access_token)
    assert renewed.access_token == grant_of(library).access_token


def test_session_end_that_cannot_be_stored_raises_session_ended(
    world: World, network: FakeNetwork, caplog: Any
) -> None:
    """Requirement 7.17: its tokens are dead, and the next caller hears it again."""
    library = Library(world, sessions=Failing())
    session = library.logs_in(ALICE)
    grant_of(library).alive = False

    for _ in range(2):
        with pytest.raises(SessionEnded):
            current(library, session, rejected=session.access_token)
    assert "is not deleted" in caplog.text


def test_token_pair_stored_by_another_process_is_used(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Section 10: before `invalid_grant` is believed, the row is read again."""
    theirs = replace(session, access_token="theirs", refresh_token="also theirs")

    class Overtakes(Fault):
        def before(self, sent: Sent, timeout: float) -> None:
            library.sessions.put(theirs)
            grant_of(library).alive = False

    network.lay(TOKEN, Overtakes())

    assert current(library, session, rejected=session.access_token) == theirs
    assert stored(library, session) == theirs
    lease_elsewhere(library, session)


def test_programming_error_during_refresh_releases_the_lease(
    library: Library, session: OAuthSession, network: FakeNetwork, caplog: Any
) -> None:
    """After any failure the next caller need not wait for the lease to end."""

    class Breaks(Fault):
        def before(self, sent: Sent, timeout: float) -> None:
            raise ZeroDivisionError

    network.lay(TOKEN, Breaks(), times=1)

    with pytest.raises(ZeroDivisionError):
        current(library, session, rejected=session.access_token)
    (fault,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert fault.exc_info, "the caller may have left: the log has all of it"
    began = library.clock()

    current(library, session, rejected=session.access_token)

    assert library.clock() == began


def test_another_device_is_another_session(library: Library) -> None:
    """Requirement 6.19: the end of one leaves the other."""
    phone, laptop = library.logs_in(ALICE), library.logs_in(ALICE)
    first, second = library.world.skyhost.server.grants.all
    first.alive = False

    with pytest.raises(SessionEnded):
        current(library, phone, rejected=phone.access_token)
    renewed = current(library, laptop, rejected=laptop.access_token)

    assert renewed.access_token == second.access_token
    assert stored(library, laptop) == renewed


def test_no_token_is_logged(
    library: Library, session: OAuthSession, network: FakeNetwork, caplog: Any
) -> None:
    """Requirement 9.22: not when it goes well, and not when it does not."""
    caplog.set_level(logging.DEBUG)
    network.lay(TOKEN, faults.bad_gateway(), times=2)
    with pytest.raises(HostUnreachable):
        current(library, session, rejected=session.access_token)
    renewed = current(library, session, rejected=session.access_token)
    grant_of(library).alive = False
    with pytest.raises(SessionEnded):
        current(library, renewed, rejected=renewed.access_token)

    for one in (session, renewed):
        assert one.access_token not in caplog.text
        assert str(one.refresh_token) not in caplog.text
