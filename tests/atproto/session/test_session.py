"""Requests to the PDS with a session: proofs, nonces, one refresh, and no more.

What counts is counted exactly: a request too many is a loop in the making.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.errors import (
    AccountUnavailable,
    HostUnreachable,
    RefreshBusy,
    ResponseTooLarge,
    ScopeMissing,
    ServerInvalid,
    SessionEnded,
)
from app.atproto.session.session import ANSWER_LIMIT, MESSAGE_LIMIT
from tests.atproto.begun import begun
from tests.atproto.wired import Library
from tests.fakes import faults
from tests.fakes.dpop import digest
from tests.fakes.network import Answer, Fault, Sent
from tests.fakes.pds import GET_SESSION, UPLOAD_BLOB, FakePds
from tests.fakes.world import Host, World

if TYPE_CHECKING:
    from app.atproto.http.types import Response
    from app.atproto.records import OAuthSession
    from app.atproto.session.session import LiveSession
    from tests.fakes.grants import Grant
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
PDS = "pds.skyhost.social"
TOKEN = "https://as.skyhost.social/oauth/token"


@pytest.fixture
def library(world: World) -> Library:
    return Library(world)


@pytest.fixture
def session(library: Library) -> OAuthSession:
    return begun(library, ALICE)


@pytest.fixture
def live(library: Library, session: OAuthSession, network: FakeNetwork) -> LiveSession:
    """Alice's session in use: the PDS has named its nonce already."""
    restored = library.client.restore(session.did, session.session_id)
    calls(library, restored)
    network.forget()
    return restored


def calls(
    library: Library,
    live: LiveSession,
    method: str = "GET",
    path: str = GET_SESSION,
    **options: Any,
) -> Response:
    given = {"deadline": library.deadline(100.0), **options}
    return live.request(method, path, **given)


def counts(network: FakeNetwork) -> tuple[int, int]:
    """Return how often the PDS's methods were called, and the token endpoint."""
    at_pds = [one for one in network.sent() if one.path.startswith("/xrpc/")]
    return len(at_pds), len(network.sent(path="/oauth/token"))


def grant_of(library: Library) -> Grant:
    (grant,) = library.world.skyhost.server.grants.all
    return grant


def stored(library: Library, session: OAuthSession) -> OAuthSession | None:
    return library.sessions.get(session.did, session.session_id)


def refuses(status: int, error: str, message: str = "", **headers: str) -> faults.Says:
    body = json.dumps({"error": error, "message": message}).encode()
    return faults.Says(status, body, {"Content-Type": "application/json", **headers})


# --- the request ----------------------------------------------------------------------


def test_a_call_arrives_with_the_sessions_proof(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirements 5.4 to 5.6: the claims are these and no others; the fake
    verifies them.
    """
    response = calls(library, live, params={"limit": "5", "q": "a b&c"})

    (sent,) = network.sent()
    assert response.json_object()["did"] == session.did
    assert sent.url == f"https://{PDS}{GET_SESSION}?limit=5&q=a+b%26c"
    assert sent.headers["Authorization"] == f"DPoP {session.access_token}"
    assert set(sent.proof) == {"jti", "htm", "htu", "iat", "nonce", "ath"}
    assert sent.proof["htu"] == f"https://{PDS}{GET_SESSION}"
    assert sent.proof["ath"] == digest(session.access_token)
    assert sent.proof_header["jwk"] == session.dpop_key.bare_jwk()


def test_a_body_arrives_as_it_was_given(
    library: Library, live: LiveSession, network: FakeNetwork
) -> None:
    response = calls(
        library,
        live,
        "POST",
        UPLOAD_BLOB,
        body=bytes(range(256)),
        headers={"Content-Type": "image/png"},
    )

    blob = response.json_object()["blob"]
    assert (blob["mimeType"], blob["size"]) == ("image/png", 256)
    assert network.sent()[0].proof["htm"] == "POST"


def test_request_returns_any_status(
    library: Library, live: LiveSession, network: FakeNetwork
) -> None:
    """404, 400 and 5xx are answers; nothing is refreshed for them."""
    assert calls(library, live, path="/xrpc/com.atproto.no.such").status == 404
    network.lay(f"https://{PDS}{GET_SESSION}", refuses(400, "InvalidToken"), times=1)
    assert calls(library, live).status == 400
    network.lay(f"https://{PDS}{GET_SESSION}", faults.bad_gateway(), times=1)
    assert calls(library, live).status == 502

    assert counts(network) == (3, 0)


@pytest.mark.parametrize(
    "path",
    ["xrpc/a.b", "@elsewhere.social/", "/xrpc/a.b?x=1", "/a#b", "/a b", "/a\\b", ""],
)
def test_request_with_malformed_path_raises_value_error(
    library: Library, live: LiveSession, network: FakeNetwork, path: str
) -> None:
    with pytest.raises(ValueError, match="path"):
        calls(library, live, path=path)
    assert network.sent() == []


@pytest.mark.parametrize("name", ["Authorization", "DPoP", "Host", "cookie"])
def test_request_with_reserved_header_raises_value_error(
    library: Library, live: LiveSession, network: FakeNetwork, name: str
) -> None:
    with pytest.raises(ValueError, match="headers"):
        calls(library, live, headers={name: "x"})
    assert network.sent() == []


# --- nonces (requirements 5.7, 5.8) ---------------------------------------------------


def test_the_first_call_learns_the_nonce_and_the_next_ones_know_it(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 5.7: though this PDS has another one after every answer."""
    network.forget()
    live = library.client.restore(session.did, session.session_id)

    for _ in range(3):
        calls(library, live)

    assert counts(network) == (4, 0)


def test_the_nonce_of_one_server_is_not_told_to_another(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 5.7: kept by origin."""
    live = library.client.restore(session.did, session.session_id)
    calls(library, live)
    live.refresh(deadline=library.deadline())
    calls(library, live)

    told = {PDS: set(), "as.skyhost.social": set()}
    for one in network.sent():
        if "DPoP" in one.headers:
            told[one.host].add(one.proof.get("nonce"))
    at_pds, at_server = told.values()
    assert at_pds & at_server == {None}
    assert len(at_pds) > 1
    assert len(at_server) > 1


def test_a_body_goes_out_again_byte_for_byte(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirements 5.13, 5.8: with a new proof, after a nonce challenge."""
    network.forget()
    live = library.client.restore(session.did, session.session_id)

    calls(library, live, "POST", UPLOAD_BLOB, body=b"\x00\xff" * 1000)

    first, second = network.sent()
    assert first.body == second.body == b"\x00\xff" * 1000
    assert first.proof["jti"] != second.proof["jti"]


def test_pds_that_always_asks_for_another_nonce_causes_no_refresh(
    library: Library, live: LiveSession, world: World, network: FakeNetwork
) -> None:
    """Requirements 5.8, 7.13."""
    world.skyhost.pds.proofs.wants_another_nonce = True

    with pytest.raises(ServerInvalid):
        calls(library, live)
    assert counts(network) == (2, 0)


# --- a refused token (requirements 7.12, 7.14) ----------------------------------------


def test_a_refused_token_is_refreshed_and_the_call_made_again(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.14: once each; the hash is of the new token (requirement 5.5)."""
    grant_of(library).access_expires_at = 0.0

    response = calls(library, live, "POST", UPLOAD_BLOB, body=b"blob")

    first, second = network.sent(host=PDS, path=UPLOAD_BLOB)
    assert response.status == 200
    assert counts(network) == (2, 1)
    assert first.proof["ath"] == digest(session.access_token)
    assert second.proof["ath"] == digest(grant_of(library).access_token)
    assert first.body == second.body == b"blob"


def test_a_token_that_is_due_is_refreshed_before_the_call(
    library: Library, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.12: no refusal is waited for."""
    world.skyhost.server.token_lifetime = 60
    session = library.logs_in(ALICE)
    live = library.client.restore(session.did, session.session_id)
    calls(library, live)
    world.clock.advance(55)
    network.forget()

    calls(library, live)

    at_pds = network.sent(path=GET_SESSION)
    assert {one.proof["ath"] for one in at_pds} == {
        digest(grant_of(library).access_token)
    }
    assert len(network.sent(path="/oauth/token")) == 1


def test_a_session_that_is_refused_even_after_a_refresh_is_dropped(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.14: two calls, one refresh, the end."""
    challenge = {"WWW-Authenticate": 'DPoP algs="ES256", error="invalid_token"'}
    network.lay(
        f"https://{PDS}{GET_SESSION}", refuses(401, "invalid_token", **challenge)
    )

    with pytest.raises(SessionEnded) as ended:
        calls(library, live)

    assert ended.value.reason == "revoked"
    assert counts(network) == (2, 1)
    assert stored(library, session) is None


@pytest.mark.parametrize(
    "refusal",
    [
        refuses(401, "x", **{"WWW-Authenticate": 'DPoP error="invalid_token"'}),
        refuses(401, "x", **{"WWW-Authenticate": 'dpop a="b", error="invalid_token"'}),
        refuses(401, "invalid_token"),
        refuses(401, "ExpiredToken"),
        refuses(400, "ExpiredToken"),
    ],
)
def test_either_form_of_a_refusal_is_understood(
    library: Library, live: LiveSession, network: FakeNetwork, refusal: faults.Says
) -> None:
    network.lay(f"https://{PDS}{GET_SESSION}", refusal, times=1)

    assert calls(library, live).status == 200
    assert counts(network) == (2, 1)


@pytest.mark.parametrize(
    "answer",
    [
        refuses(401, "AuthMissing"),
        refuses(401, "invalid_token_scope"),
        refuses(400, "invalid_token"),
        refuses(403, "ExpiredToken"),
        refuses(403, "AccountNotFound"),
        refuses(403, "Forbidden"),
        refuses(403, "x", **{"WWW-Authenticate": 'DPoP error="invalid_token"'}),
        faults.a_page(401),
        faults.a_page(403),
    ],
)
def test_other_refusals_cause_no_refresh(
    library: Library, live: LiveSession, network: FakeNetwork, answer: faults.Says
) -> None:
    """Requirement 7.13: the caller gets it as it is."""
    network.lay(f"https://{PDS}{GET_SESSION}", answer)

    assert calls(library, live).status == answer.status
    assert counts(network) == (1, 0)


def test_a_refresh_that_is_asked_for_is_one_even_when_it_is_due(
    library: Library, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.12: each rotation is a chance to lose the session."""
    world.skyhost.server.token_lifetime = 60
    session = library.logs_in(ALICE)
    world.clock.advance(61)
    network.forget()

    library.client.refresh(
        session.did, session.session_id, deadline=library.deadline(100.0)
    )

    assert len(network.sent(path="/oauth/token")) == 1


def test_a_session_with_newer_tokens_is_not_dropped(
    library: Library, live: LiveSession, session: OAuthSession
) -> None:
    """Requirement 7.14: only what was refused is over."""
    newer = replace(session, access_token="newer")
    library.sessions.put(newer)

    assert live.refreshing.discard(session) is False
    assert stored(library, session) == newer
    began = library.clock()
    assert live.refresh(deadline=library.deadline(100.0)).access_token != "newer"
    assert library.clock() == began, "the lease was given back"


def test_session_under_refresh_elsewhere_is_kept(
    library: Library, live: LiveSession, session: OAuthSession
) -> None:
    now = library.clock()
    library.sessions.lease(
        session.did, session.session_id, holder="x", until=now + 45, now=now
    )

    assert live.refreshing.discard(session) is False
    assert stored(library, session) == session


def test_session_ended_by_another_process_raises_session_ended(
    library: Library, live: LiveSession, session: OAuthSession
) -> None:
    library.sessions.delete(session.did, session.session_id)

    assert live.refreshing.discard(session) is True


def test_tokens_replaced_during_the_call_keep_the_session(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.14: a host ends the old access token at once, also while in use."""

    class SomebodyRefreshes(Fault):
        def before(self, sent: Sent, timeout: float) -> Answer:
            known = stored(library, session)
            assert known is not None
            library.sessions.put(replace(known, access_token=f"{known.access_token}+"))
            return refuses(401, "invalid_token").before(sent, timeout)

    network.lay(f"https://{PDS}{GET_SESSION}", SomebodyRefreshes(), times=2)

    with pytest.raises(RefreshBusy):
        calls(library, live)
    assert stored(library, session) is not None


def test_a_call_follows_the_account_to_its_new_pds(
    library: Library, live: LiveSession, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.15: the old PDS refuses, the refresh tells where to ask."""
    server = world.skyhost.server
    moved = FakePds(
        "https://pds-2.skyhost.social", server, clock=world.clock, handles=world.handles
    )
    network.serve("pds-2.skyhost.social", moved)
    world.publish(world.alice, Host("skyhost.social", moved, server))
    grant_of(library).access_expires_at = 0.0

    assert calls(library, live).status == 200
    assert [one.host for one in network.sent(path=GET_SESSION)] == [
        PDS,
        "pds-2.skyhost.social",
        "pds-2.skyhost.social",
    ]


# --- permissions and accounts (requirements 8.11, 7.21) -------------------------------

NAMES_IT = 'Missing required scope "repo:app.relay.track?action=create"'


def test_a_missing_permission_is_named(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 8.11: one request, no refresh, the session stays."""
    network.lay(
        f"https://{PDS}{GET_SESSION}", refuses(403, "ScopeMissingError", NAMES_IT)
    )

    with pytest.raises(ScopeMissing) as missing:
        calls(library, live)

    assert missing.value.scope == "repo:app.relay.track?action=create"
    assert counts(network) == (1, 0)
    assert stored(library, session) == session


def test_a_missing_permission_in_the_words_of_the_rfc_is_named_too(
    library: Library, live: LiveSession, network: FakeNetwork
) -> None:
    """RFC 6750 §3.1."""
    challenge = 'DPoP error="insufficient_scope", scope="rpc:app.relay.get?aud=*"'
    network.lay(
        f"https://{PDS}{GET_SESSION}",
        faults.Says(403, b"", {"WWW-Authenticate": challenge}),
    )

    with pytest.raises(ScopeMissing) as missing:
        calls(library, live)

    assert missing.value.scope == "rpc:app.relay.get?aud=*"


@pytest.mark.parametrize(
    ("error", "message", "challenge", "scope"),
    [
        ("InsufficientScope", "Missing required scope: repo:app.x", "", "repo:app.x"),
        ("x", "no", 'DPoP error="insufficient_scope"', ""),
        ("InsufficientScope", "x" * MESSAGE_LIMIT + " scope: repo:app.x", "", ""),
        ("x", "no", "DPoP error=insufficient_scope, scope=repo:app.x", "repo:app.x"),
        ("x", 5, 'DPoP error="insufficient_scope", scope="a\x7fb"', ""),
    ],
)
def test_request_refused_in_words_of_another_make_raises_scope_missing(
    library: Library,
    live: LiveSession,
    network: FakeNetwork,
    error: str,
    message: Any,
    challenge: str,
    scope: str,
) -> None:
    """Requirement 8.11: cocoon does not quote the scope, cirrus sends no challenge."""
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    network.lay(f"https://{PDS}{GET_SESSION}", refuses(403, error, message, **headers))

    with pytest.raises(ScopeMissing) as missing:
        calls(library, live)

    assert missing.value.scope == scope
    assert counts(network) == (1, 0)


@pytest.mark.parametrize("message", ["no", 'scope "a\nb"', 'scope "' + "x" * 999 + '"'])
def test_scope_missing_with_malformed_scope_has_no_scope(
    library: Library, live: LiveSession, network: FakeNetwork, message: str
) -> None:
    network.lay(
        f"https://{PDS}{GET_SESSION}", refuses(403, "ScopeMissingError", message)
    )

    with pytest.raises(ScopeMissing) as missing:
        calls(library, live)

    assert missing.value.scope == ""


@pytest.mark.parametrize("state", ["AccountDeactivated", "AccountTakedown"])
def test_unavailable_account_keeps_its_session(
    library: Library,
    live: LiveSession,
    session: OAuthSession,
    network: FakeNetwork,
    state: str,
) -> None:
    """Requirement 7.21: said in the host's word; no refresh, and it may come back."""
    library.world.skyhost.pds.status_of[session.did] = state

    with pytest.raises(AccountUnavailable) as unavailable:
        calls(library, live)

    assert unavailable.value.state == state
    assert counts(network) == (1, 0)
    library.world.skyhost.pds.status_of.clear()
    assert calls(library, live).status == 200


def test_a_taken_down_account_whose_challenge_says_invalid_token_is_kept(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.21: the body is the more exact."""
    challenge = {"WWW-Authenticate": 'DPoP error="invalid_token"'}
    network.lay(
        f"https://{PDS}{GET_SESSION}", refuses(401, "AccountTakedown", **challenge)
    )

    with pytest.raises(AccountUnavailable):
        calls(library, live)
    assert counts(network) == (1, 0)
    assert stored(library, session) == session


# --- restoring ------------------------------------------------------------------------


def test_restore_sends_no_request(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    """Section 11: neither the network nor the person."""
    network.forget()

    library.client.restore(session.did, session.session_id)

    assert network.sent() == []


def test_what_is_not_stored_cannot_be_restored(
    library: Library, session: OAuthSession
) -> None:
    with pytest.raises(SessionEnded) as ended:
        library.client.restore(session.did, "another")
    assert ended.value.reason == "unknown"


def test_request_of_ended_session_raises_session_ended(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Logout elsewhere: what is live holds no token of its own."""
    library.client.revoke(session.did, session.session_id, deadline=library.deadline())
    network.forget()

    with pytest.raises(SessionEnded):
        calls(library, live)
    assert network.sent() == []


def test_a_refresh_can_be_asked_for(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    network.forget()

    renewed = library.client.refresh(
        session.did, session.session_id, deadline=library.deadline()
    )

    assert renewed.access_token == grant_of(library).access_token
    assert counts(network) == (0, 1)


def test_a_pds_that_is_down_costs_no_refresh(
    library: Library, live: LiveSession, network: FakeNetwork
) -> None:
    """Requirement 7.17."""
    network.lay(f"https://{PDS}{GET_SESSION}", faults.Refuses())

    with pytest.raises(HostUnreachable):
        calls(library, live)
    assert counts(network) == (1, 0)


def test_a_call_does_not_wait_longer_than_its_deadline_for_a_refresh(
    library: Library, live: LiveSession, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirement 7.10: the refresh goes on without it, and may be over before we
    look.
    """
    library.world.clock.advance(3600)

    with pytest.raises((RefreshBusy, HostUnreachable)):
        calls(library, live, deadline=library.deadline(0.0))
    assert calls(library, live).status == 200
    assert len(grant_of(library).spent) == 1


def test_answer_over_the_limit_of_a_call_raises_response_too_large(
    library: Library, live: LiveSession, network: FakeNetwork
) -> None:
    url = f"https://{PDS}{GET_SESSION}"
    network.lay(url, faults.Says(200, b"x" * (ANSWER_LIMIT + 1), {}), times=1)

    with pytest.raises(ResponseTooLarge):
        calls(library, live)
