"""At the authorization server: what is pushed and how (sections 3 and 4)."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Any

import jwt
import pytest

from app.atproto.errors import (
    ClientRefused,
    HostFailing,
    HostUnreachable,
    ResponseTooLarge,
    ScopeInvalid,
    ServerInvalid,
)
from tests.atproto.wired import CALLBACK, CLIENT_ID, Library
from tests.fakes import faults
from tests.fakes.client_authentication import ASSERTION_TYPE
from tests.fakes.dpop import digest, thumbprint
from tests.fakes.faults import REMOVED
from tests.fakes.network import FakeNetwork
from tests.fakes.refusal import Refusal
from tests.fakes.world import THE_SERVER, World

ALICE = "alice.skyhost.social"
PAR = "https://as.skyhost.social/oauth/par"


def only_push(network: FakeNetwork) -> Any:
    return network.sent(path="/oauth/par")[-1]


def test_what_a_confidential_client_pushes(
    library: Library, network: FakeNetwork
) -> None:
    """Requirements 4.1, 4.2, 4.20: a form with these fields and no others."""
    library.begins(ALICE)

    sent = only_push(network)
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert set(sent.form) == {
        "client_id",
        "response_type",
        "code_challenge",
        "code_challenge_method",
        "state",
        "redirect_uri",
        "scope",
        "login_hint",
        "response_mode",
        "client_assertion_type",
        "client_assertion",
    }
    assert sent.form["response_mode"] == "query"
    assert sent.form["client_id"] == CLIENT_ID
    assert sent.form["response_type"] == "code"
    assert sent.form["code_challenge_method"] == "S256"
    assert sent.form["redirect_uri"] == CALLBACK
    assert sent.form["scope"] == "atproto"
    assert sent.form["client_assertion_type"] == ASSERTION_TYPE


def test_a_public_client_sends_no_assertion(world: World, network: FakeNetwork) -> None:
    """Requirements 3.20, 3.29, 4.3: DPoP and PKCE all the same."""
    library = Library(world, public=True)

    session = library.logs_in(ALICE)

    for sent in network.sent(method="POST"):
        assert not {"client_assertion", "client_assertion_type"} & set(sent.form)
        assert sent.headers["DPoP"]
    assert session.auth_method == "none"
    assert session.client_id.startswith("http://localhost?")


def test_what_the_assertion_says(library: Library, network: FakeNetwork) -> None:
    """Requirements 4.11, 4.12: for the issuer, dated back a little, for a minute."""
    library.begins(ALICE)

    sent = only_push(network)
    header = jwt.get_unverified_header(sent.form["client_assertion"])
    claims = sent.assertion
    assert header["alg"] == "ES256"
    assert header["kid"] == library.keys[0].kid
    assert header.get("typ", "JWT") == "JWT"
    assert claims["iss"] == claims["sub"] == CLIENT_ID
    assert claims["aud"] == "https://as.skyhost.social"
    assert library.clock() - 30 <= claims["iat"] < library.clock()
    assert library.clock() < claims["exp"] <= library.clock() + 60


@pytest.mark.parametrize("skew", [2, 24, -34])
def test_an_assertion_of_a_clock_that_is_off_is_taken(world: World, skew: int) -> None:
    """Requirement 4.12: a clock that is fast is not in the server's future."""
    library = Library(world, clock=world.clock.skewed(skew))

    assert library.begins(ALICE).state


def test_every_request_has_an_assertion_of_its_own(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 4.13: at PAR, at its nonce retry, at the token endpoint, at
    revocation.
    """
    session = library.logs_in(ALICE)
    library.client.revoke(session.did, session.session_id, deadline=library.deadline())

    sent = network.sent(method="POST")
    assert len(sent) == 5
    assert len({one.assertion["jti"] for one in sent}) == 5
    assert len({one.proof["jti"] for one in sent}) == 5


def test_the_client_key_and_the_dpop_key_differ(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 4.14: whether or not a server checks it."""
    library.begins(ALICE)

    jwk = only_push(network).proof_header["jwk"]
    assert thumbprint(jwk) != library.keys[0].thumbprint


def test_the_verifier_is_fresh_and_fits_its_challenge(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 4.4: 43 to 128 characters, S256, never twice."""
    for _ in range(3):
        library.begins(ALICE)
        request = library.states.last
        assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", request.code_verifier)
        challenge = only_push(network).form["code_challenge"]
        assert challenge == digest(request.code_verifier)
    challenges = [s.form["code_challenge"] for s in network.sent(path="/oauth/par")[1:]]
    assert len(set(challenges)) == 3


def test_the_state_is_long_random_and_says_nothing(library: Library) -> None:
    """Requirement 4.5: at least 128 bits, unique, and no part of the session in it."""
    states = {library.begins(ALICE).state for _ in range(20)}

    assert len(states) == 20
    for state in states:
        assert re.fullmatch(r"[A-Za-z0-9_-]{22,}", state)


@pytest.mark.parametrize(
    "scope", ["", "transition:generic", "atproto repo:*", "atproto  x"]
)
def test_a_scope_that_may_not_be_asked_is_not_sent(
    library: Library, network: FakeNetwork, scope: str
) -> None:
    """Requirements 4.6, 8.1: within the metadata, with `atproto`, well formed."""
    with pytest.raises(ScopeInvalid):
        library.begins(ALICE, scope=scope)
    assert network.sent() == []


def test_a_wider_scope_within_the_metadata_is_sent(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 4.6: always sent, never left to a default."""
    library.begins(ALICE, scope="atproto transition:generic")

    assert only_push(network).form["scope"] == "atproto transition:generic"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("@Alice.Skyhost.SOCIAL ", "alice.skyhost.social"),
        ("at://alice.skyhost.social", "alice.skyhost.social"),
    ],
)
def test_the_hint_is_what_was_typed_cleaned(
    library: Library, network: FakeNetwork, typed: str, hint: str
) -> None:
    """Requirements 4.7, 1.2."""
    library.begins(typed)

    assert only_push(network).form["login_hint"] == hint


def test_a_typed_did_is_sent_as_the_hint(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 4.7: what the person typed, not the handle we found."""
    library.begins(world.alice.did)

    assert only_push(network).form["login_hint"] == world.alice.did


def test_a_server_start_gives_no_hint(library: Library, network: FakeNetwork) -> None:
    """Requirements 2.10, 4.7."""
    library.begins("https://as.skyhost.social")

    assert "login_hint" not in only_push(network).form


def test_a_second_redirect_uri_goes_through_a_whole_login(library: Library) -> None:
    """Requirement 4.8: the exchange repeats the one that was pushed."""
    session = library.logs_in(ALICE, redirect_uri=CALLBACK + "/second")

    assert session.did


@pytest.mark.parametrize("prompt", ["login", "consent", "select_account", "create"])
def test_a_prompt_that_the_server_knows_is_sent(
    library: Library, network: FakeNetwork, prompt: str
) -> None:
    """Requirement 4.9."""
    library.begins("https://as.skyhost.social", prompt=prompt)

    assert only_push(network).form["prompt"] == prompt


def test_a_prompt_that_the_server_does_not_know_is_left_out(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 4.9: its metadata says which it knows."""
    world.skyhost.server.lies.metadata["prompt_values_supported"] = ["login"]

    library.begins("https://as.skyhost.social", prompt="create")

    assert not any("prompt" in one.form for one in network.sent(path="/oauth/par"))


def test_a_prompt_is_tried_once_where_nothing_is_said_about_it(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 4.9, section 10: refused, it is left out, with another challenge
    (requirement 4.4).
    """
    world.skyhost.server.lies.metadata["prompt_values_supported"] = REMOVED

    library.begins("https://as.skyhost.social", prompt="create")

    tried = network.sent(path="/oauth/par")[-2:]
    assert ["prompt" in one.form for one in tried] == [True, False]
    assert tried[0].form["code_challenge"] != tried[1].form["code_challenge"]


def test_a_server_that_refuses_hints_is_asked_without(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Section 10: `invalid_request`, so once more without the optional parameters."""
    refusal = Refusal("invalid_request", "Invalid login_hint")
    world.skyhost.server.lies.refuses["/oauth/par"] = refusal

    with pytest.raises(ClientRefused):
        library.begins(ALICE)
    tried = network.sent(path="/oauth/par")
    assert ["login_hint" in one.form for one in tried] == [True, True, False]


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("invalid_client", 400, ClientRefused),
        ("invalid_client_metadata", 400, ClientRefused),
        ("invalid_redirect_uri", 400, ClientRefused),
        ("invalid_scope", 400, ClientRefused),
        ("invalid_dpop_proof", 401, ClientRefused),
        ("a_code_of_tomorrow", 400, ClientRefused),
        ("server_error", 500, HostFailing),
        ("temporarily_unavailable", 503, HostFailing),
        ("server_error", 400, HostFailing),
    ],
)
def test_refusals_are_told_apart_and_not_repeated(
    library: Library,
    network: FakeNetwork,
    world: World,
    code: str,
    status: int,
    error: type[Exception],
) -> None:
    """Section 10, 10.1: on the code; descriptions are for logs."""
    world.skyhost.server.lies.refuses["/oauth/par"] = Refusal(code, "reason", status)

    with pytest.raises(error):
        library.begins(ALICE)
    assert len(network.sent(path="/oauth/par")) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"request_uri": REMOVED},
        {"request_uri": ""},
        {"request_uri": 7},
        {"expires_in": REMOVED},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": "299"},
        {"expires_in": True},
    ],
    ids=str,
)
def test_an_incomplete_answer_to_a_push_is_refused(
    library: Library, network: FakeNetwork, fields: dict[str, object]
) -> None:
    """Requirement 4.15: RFC 9126 §2.2."""
    library.begins(ALICE)
    network.lay(PAR, faults.ChangesJSON(fields))

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)


def test_a_push_answered_with_200_is_accepted(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 4.15: 201 is the rule."""
    library.begins(ALICE)
    nonce = world.skyhost.server.nonces.current()
    body = b'{"request_uri":"urn:x","expires_in":60}'
    headers = {"DPoP-Nonce": nonce, "Content-Type": "application/json"}
    network.lay(PAR, faults.Says(200, body, headers))

    assert "request_uri=urn%3Ax" in library.begins(ALICE).url


def test_an_oversized_answer_to_a_push_is_cut_off(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 9.4: token and PAR answers are small."""
    network.lay(PAR, faults.Swells(100_000))

    with pytest.raises(ResponseTooLarge):
        library.begins(ALICE)


def test_the_browser_is_sent_with_two_parameters(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 4.16: the server's page refuses more; `at_host` opens it."""
    authorization = library.begins(ALICE)

    assert library.at_host(authorization).request.client_id == CLIENT_ID


def test_nothing_is_kept_of_a_login_that_did_not_begin(
    library: Library, world: World
) -> None:
    """Requirement 4.18: the auth request is stored when the push has succeeded."""
    world.skyhost.server.lies.refuses["/oauth/par"] = Refusal("invalid_scope", "no")

    with pytest.raises(ClientRefused):
        library.begins(ALICE)
    assert not hasattr(library.states, "last")


def test_what_is_kept_of_a_login(library: Library, world: World) -> None:
    """Requirement 4.18: everything that the callback needs."""
    library.begins(ALICE, app_state="return to the garden")

    kept = library.states.last
    assert kept.issuer == "https://as.skyhost.social"
    assert kept.did == world.alice.did
    assert kept.pds == "https://pds.skyhost.social"
    assert kept.redirect_uri == CALLBACK
    assert kept.auth_method == "private_key_jwt"
    assert kept.client_kid == library.keys[0].kid
    assert kept.client_id == CLIENT_ID
    assert kept.as_nonce == world.skyhost.server.nonces.current()
    assert kept.app_state == "return to the garden"
    assert 15 * 60 <= kept.expires_at - kept.created_at <= 3600
    assert kept.browser_secret_hash != "the secret of this browser"


def test_no_secret_shows_in_a_repr(library: Library) -> None:
    """Requirement 9.22: records end up in tracebacks."""
    authorization = library.begins(ALICE)
    kept = library.states.last
    shown = repr(kept) + repr(authorization)

    for secret in (
        kept.state,
        kept.code_verifier,
        kept.as_nonce,
        kept.browser_secret_hash,
    ):
        assert str(secret) not in shown
    assert "request_uri" not in shown


def test_our_metadata_is_fetched_while_we_wait(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 3.13: between our request and its answer the server comes to us."""
    library.begins(ALICE)

    urls = [one.url for one in network.log]
    assert urls.index(CLIENT_ID) > urls.index(PAR)
    assert [one.url for one in network.sent(sender=THE_SERVER)] == [CLIENT_ID]


def test_the_target_host_is_counted_before_it_is_asked(
    world: World, network: FakeNetwork
) -> None:
    """Requirement 9.6: handle hosts and authorization servers; a refusal stops the
    request.
    """
    asked: list[str] = []
    Library(world, before_host=asked.append).begins(ALICE)

    assert asked == [ALICE, "as.skyhost.social"]


def test_host_over_its_limit_gets_no_request(
    world: World, network: FakeNetwork
) -> None:
    """Requirement 9.6: pushes to a server are counted."""

    def refuses(host: str) -> None:
        if host == "as.skyhost.social":
            raise PermissionError(host)

    library = Library(world, before_host=refuses)

    with pytest.raises(PermissionError):
        library.begins(ALICE)
    assert network.sent(path="/oauth/par") == []


def test_login_at_unreachable_server_raises_host_unreachable(
    library: Library, network: FakeNetwork
) -> None:
    """Section 10: and the next try asks again."""
    library.begins(ALICE)
    network.lay(PAR, faults.Refuses(), times=1)

    with pytest.raises(HostUnreachable):
        library.begins(ALICE)
    assert library.begins(ALICE).state


def test_every_request_has_our_user_agent(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 9.7: with an address to complain at."""
    library.logs_in(ALICE)

    for sent in network.sent():
        assert "auth.platform.cafe" in sent.headers["User-Agent"]
        assert "Cookie" not in sent.headers


def test_request_uri_longer_than_2_kb_is_refused(
    library: Library, network: FakeNetwork
) -> None:
    network.lay(PAR, faults.ChangesJSON({"request_uri": "urn:" + "x" * 2_045}))

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)


def test_response_mode_is_not_sent_where_it_is_not_supported(
    library: Library, network: FakeNetwork, world: World
) -> None:
    world.skyhost.server.lies.metadata["response_modes_supported"] = ["fragment"]

    library.begins(ALICE)

    assert "response_mode" not in only_push(network).form


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (7200, "our clock is 7200 s ahead of its Date"),
        (-7200, "7200 s behind"),
        (0, ""),
    ],
)
def test_refusal_says_how_wrong_our_clock_is(
    world: World, network: FakeNetwork, skew: int, words: str
) -> None:
    """`invalid_dpop_proof` alone does not lead an operator to the clock."""
    date = formatdate(world.clock(), usegmt=True)
    refusal = faults.Says(400, b'{"error":"invalid_dpop_proof"}', {"Date": date})
    network.lay(PAR, refusal)
    library = Library(world, clock=world.clock.skewed(skew))

    with pytest.raises(ClientRefused) as refused:
        library.begins(ALICE)

    assert words in str(refused.value)
    assert bool(refused.value.hint) is bool(skew)
