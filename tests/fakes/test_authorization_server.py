"""The fakes judged by a client of their own: right is accepted, wrong is refused."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from .consent import ConsentPage, DeadEnd, SentBack
from .faults import REMOVED
from .pds import GET_SESSION
from .plain_client import CALLBACK, CLIENT_ID, Key, PlainClient, code_in
from .refusal import Refusal
from .world import THE_SERVER, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def plain(world: World) -> PlainClient:
    return PlainClient(world, world.skyhost.server)


def error(answer: Any) -> str:
    assert answer.status_code >= 400, answer.text
    return str(answer.json()["error"])


def consent(plain: PlainClient, device: str = "mine") -> ConsentPage:
    page = plain.server.open(plain.authorization_url(plain.push()), device=device)
    assert isinstance(page, ConsentPage)
    return page


def code_of(plain: PlainClient) -> str:
    return code_in(consent(plain).approves("alice.skyhost.social").url)


def test_a_whole_login_is_accepted(world: World, plain: PlainClient) -> None:
    answer = plain.login("alice.skyhost.social").json()

    assert answer["sub"] == world.alice.did
    assert answer["token_type"] == "DPoP"
    assert answer["scope"] == "atproto"


def test_the_first_request_is_asked_for_a_nonce(plain: PlainClient) -> None:
    assert error(plain.push(retries=0)) == "use_dpop_nonce"
    assert plain.push(retries=0).status_code == 201


def test_the_clients_metadata_is_fetched_while_it_waits(
    world: World, plain: PlainClient
) -> None:
    plain.push()
    plain.verifier = "v" * 43
    plain.push()

    assert [s.url for s in world.network.sent(sender=THE_SERVER)] == [CLIENT_ID]


def test_ten_minutes_later_the_metadata_is_fetched_again(
    world: World, plain: PlainClient
) -> None:
    plain.push()
    world.clock.advance(601)
    plain.verifier = "v" * 43
    plain.push()

    assert len(world.network.sent(sender=THE_SERVER)) == 2


@pytest.mark.parametrize(
    "bent",
    [
        {"htm": "GET"},
        {"htm": "post"},
        {"htu": "https://as.skyhost.social/oauth/token"},
        {"htu": "https://as.skyhost.social/oauth/par?x=1"},
        {"iat": None},
        {"iat": 0},
        {"jti": None},
        {"jti": "short"},
        {"ath": "of-no-token"},
        {"iss": CLIENT_ID},
        {"header": {"typ": "JWT"}},
        {"header": {"jwk": None}},
        {"header": {"jwk": Key().jwk}},
        {"header": {"jwk": {**Key().jwk, "kid": "k"}}},
        {"header": {"jwk": {**Key().jwk, "x": "AAAA"}}},
    ],
    ids=count(),  # the keys are random, so the position names the case
)
def test_a_bent_proof_is_refused(plain: PlainClient, bent: dict[str, Any]) -> None:
    plain.push(retries=0)

    assert error(plain.push(proof=bent)) == "invalid_dpop_proof"


def test_a_proof_with_an_old_or_future_date_is_refused(plain: PlainClient) -> None:
    plain.push(retries=0)
    now = int(plain.clock())

    for iat in (now - 191, now + 181):
        assert error(plain.push(proof={"iat": iat})) == "invalid_dpop_proof"
    assert plain.push(proof={"iat": now + 179}).status_code == 201


def test_a_replayed_proof_is_refused(plain: PlainClient) -> None:
    plain.push(retries=0)
    once = {"jti": "the-very-same-identifier"}

    assert plain.push(proof=once).status_code == 201
    assert error(plain.push(proof=once)) == "invalid_dpop_proof"


def test_a_request_without_proof_is_refused(plain: PlainClient) -> None:
    answer = plain.push(headers={"DPoP": None})

    assert error(answer) == "invalid_dpop_proof"


def test_a_nonce_is_good_for_about_three_minutes(
    world: World, plain: PlainClient
) -> None:
    plain.push(retries=0)
    world.clock.advance(60)
    assert plain.push(retries=0).status_code == 201
    plain.verifier = "v" * 43
    world.clock.advance(121)

    assert error(plain.push(retries=0)) == "use_dpop_nonce"


def test_a_server_that_rotates_each_time_wants_the_newest(plain: PlainClient) -> None:
    plain.server.nonces.rotates_every_answer = True
    plain.push()
    kept = plain.nonce
    plain.verifier = "v" * 43
    assert plain.push(retries=0).status_code == 201
    plain.nonce, plain.verifier = kept, "w" * 43

    assert error(plain.push(retries=0)) == "use_dpop_nonce"


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        ({"aud": "https://as.skyhost.social/oauth/par"}, "invalid_client"),
        ({"aud": "https://as.skyhost.social/"}, "invalid_client"),
        ({"iss": "https://another.cafe/"}, "invalid_client"),
        ({"sub": None}, "invalid_client"),
        ({"exp": None}, "invalid_client"),
        ({"iat": None}, "invalid_client"),
        ({"jti": None}, "invalid_grant"),
        ({"header": {"kid": None}}, "invalid_client"),
        ({"header": {"kid": "unknown"}}, "invalid_client"),
        ({"key": Key("client-1")}, "invalid_client"),
    ],
    ids=count(),  # the keys are random, so the position names the case
)
def test_a_bent_assertion_is_refused(
    plain: PlainClient, bent: dict[str, Any], code: str
) -> None:
    plain.push(retries=0)

    assert error(plain.push(assertion=bent)) == code


def test_an_assertion_may_not_be_a_second_ahead_nor_a_minute_old(
    plain: PlainClient,
) -> None:
    plain.push(retries=0)
    now = int(plain.clock())

    assert error(plain.push(assertion={"iat": now + 1})) == "invalid_client"
    assert error(plain.push(assertion={"iat": now - 61})) == "invalid_client"
    assert plain.push(assertion={"iat": now}).status_code == 201


def test_an_assertion_serves_once(plain: PlainClient) -> None:
    plain.push(retries=0)
    once = {"jti": "the-very-same"}
    assert plain.push(assertion=once).status_code == 201
    plain.verifier = "v" * 43

    assert error(plain.push(assertion=once)) == "invalid_grant"


def test_the_client_key_may_not_be_the_dpop_key(plain: PlainClient) -> None:
    plain.dpop_key = plain.client_key

    assert error(plain.push()) == "invalid_client"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"response_type": "token"}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"redirect_uri": CALLBACK + "/"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "transition:generic"}, "invalid_scope"),
        ({"scope": "atproto repo:*"}, "invalid_scope"),
        ({"login_hint": "alice@skyhost.social"}, "invalid_request"),
        ({"login_hint": "https://skyhost.social"}, "invalid_request"),
        ({"login_hint": "@alice.skyhost.social"}, "invalid_request"),
        ({"login_hint": "did:plc:x\n"}, "invalid_request"),
        ({"prompt": "always"}, "invalid_request"),
        ({"client_secret": "s"}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_assertion": None}, "invalid_client"),
        ({"client_assertion_type": None}, "invalid_client"),
        ({"client_id": "https://unknown.cafe/c.json"}, "invalid_client_metadata"),
    ],
    ids=str,
)
def test_a_bent_push_is_refused(
    plain: PlainClient, form: dict[str, str | None], code: str
) -> None:
    plain.push(retries=0)

    assert error(plain.push(form=form)) == code


def test_a_push_in_json_is_refused(plain: PlainClient) -> None:
    answer = plain.push(headers={"Content-Type": "application/json"})

    assert error(answer) == "invalid_request"


def test_a_challenge_is_not_used_twice(plain: PlainClient) -> None:
    assert plain.push().status_code == 201

    assert error(plain.push()) == "invalid_request"


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": CLIENT_ID + "?"},
        {"scope": "transition:generic"},
        {"scope": "atproto atproto"},
        {"response_types": ["token"]},
        {"grant_types": ["refresh_token"]},
        {"dpop_bound_access_tokens": False},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_signing_alg": "RS256"},
        {"application_type": "native"},
        {"jwks_uri": "https://plain.platform.cafe/jwks"},
        {"redirect_uris": ["http://plain.platform.cafe/callback"]},
        {"default_max_age": 1},
        {"jwks": {"keys": [{**Key().jwk}]}},
        {"jwks": {"keys": [{**Key().jwk, "kid": "client-1", "d": "secret"}]}},
        {"jwks": {"keys": [{**Key().jwk, "kid": "client-1", "key_ops": ["sign"]}]}},
    ],
    ids=count(),  # the keys are random, so the position names the case
)
def test_bent_client_metadata_is_refused(
    plain: PlainClient, change: dict[str, Any]
) -> None:
    plain.metadata |= change

    assert error(plain.push()) in {"invalid_client_metadata", "invalid_client"}


def test_the_authorization_url_carries_the_request_and_nothing_else(
    plain: PlainClient,
) -> None:
    url = plain.authorization_url(plain.push())

    assert isinstance(plain.server.open(f"{url}&x=1", device="mine"), DeadEnd)
    assert isinstance(plain.server.open(url, device="mine"), ConsentPage)


def test_a_second_browser_ends_the_request(plain: PlainClient) -> None:
    url = plain.authorization_url(plain.push())
    plain.server.open(url, device="mine")

    page = plain.server.open(url, device="another")

    assert isinstance(page, SentBack)
    assert "error=access_denied" in page.url
    assert isinstance(plain.server.open(url, device="mine"), DeadEnd)


def test_a_request_ends_after_five_minutes(world: World, plain: PlainClient) -> None:
    url = plain.authorization_url(plain.push())
    world.clock.advance(300)

    assert isinstance(plain.server.open(url, device="mine"), DeadEnd)


@pytest.mark.parametrize(
    "form",
    [
        {"code_verifier": "v" * 43},
        {"code_verifier": None},
        {"redirect_uri": CALLBACK + "2"},
        {"redirect_uri": None},
        {"code": "cod-unknown"},
    ],
    ids=str,
)
def test_a_bent_exchange_is_refused(
    plain: PlainClient, form: dict[str, str | None]
) -> None:
    assert error(plain.exchange(code_of(plain), form=form)) == "invalid_grant"


def test_a_code_belongs_to_the_key_that_pushed(plain: PlainClient) -> None:
    code = code_of(plain)
    plain.dpop_key = Key()

    assert error(plain.exchange(code)) == "invalid_grant"


def test_a_code_belongs_to_the_client_key_that_pushed(plain: PlainClient) -> None:
    code = code_of(plain)
    second = Key("client-2")
    plain.metadata["jwks"]["keys"].append({**second.jwk, "kid": "client-2"})
    plain.server.clients.forget()
    plain.client_key = second

    assert error(plain.exchange(code)) == "invalid_grant"


def test_a_code_ends_after_five_minutes(world: World, plain: PlainClient) -> None:
    code = code_of(plain)
    world.clock.advance(300)

    assert error(plain.exchange(code)) == "invalid_grant"


def test_a_replayed_code_ends_its_session(world: World, plain: PlainClient) -> None:
    code = code_of(plain)
    tokens = plain.exchange(code).json()

    assert error(plain.exchange(code)) == "invalid_grant"
    assert plain.server.grants.alive(world.alice.did) == []
    assert error(plain.refresh(tokens["refresh_token"])) == "invalid_grant"


def test_a_refresh_replaces_both_tokens(plain: PlainClient) -> None:
    first = plain.login("alice.skyhost.social").json()
    second = plain.refresh(first["refresh_token"]).json()

    assert second["access_token"] != first["access_token"]
    assert plain.refresh(second["refresh_token"]).status_code == 200


def test_a_replayed_refresh_token_ends_the_session(
    world: World, plain: PlainClient
) -> None:
    first = plain.login("alice.skyhost.social").json()
    second = plain.refresh(first["refresh_token"]).json()

    assert error(plain.refresh(first["refresh_token"])) == "invalid_grant"
    assert error(plain.refresh(second["refresh_token"])) == "invalid_grant"
    assert plain.server.grants.alive(world.alice.did) == []


def test_a_refresh_with_another_key_ends_the_session(
    world: World, plain: PlainClient
) -> None:
    tokens = plain.login("alice.skyhost.social").json()
    plain.dpop_key = Key()

    assert error(plain.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert plain.server.grants.alive(world.alice.did) == []


def test_a_revocation_ends_the_session(world: World, plain: PlainClient) -> None:
    tokens = plain.login("alice.skyhost.social").json()

    assert plain.revoke(tokens["access_token"]).status_code == 200
    assert plain.server.grants.alive(world.alice.did) == []


def test_a_revocation_without_proof_is_answered_and_ignored(
    world: World, plain: PlainClient
) -> None:
    tokens = plain.login("alice.skyhost.social").json()

    answer = plain.revoke(tokens["access_token"], headers={"DPoP": None})

    assert answer.status_code == 200
    assert len(plain.server.grants.alive(world.alice.did)) == 1


def test_the_pds_wants_proof_of_the_token(world: World, plain: PlainClient) -> None:
    token = plain.login("alice.skyhost.social").json()["access_token"]
    url = world.skyhost.pds.origin + GET_SESSION
    first = plain.get(url, token)
    assert first.status_code == 401
    assert 'error="use_dpop_nonce"' in first.headers["WWW-Authenticate"]

    assert plain.get(url, token).json() == {
        "did": world.alice.did,
        "handle": "alice.skyhost.social",
    }
    assert plain.get(url, token, ath=None).status_code == 401


def test_an_expired_access_token_is_refused_at_the_pds(
    world: World, plain: PlainClient
) -> None:
    token = plain.login("alice.skyhost.social").json()["access_token"]
    url = world.skyhost.pds.origin + GET_SESSION
    plain.get(url, token)
    world.clock.advance(3600)
    plain.get(url, token)

    assert "invalid_token" in plain.get(url, token).headers["WWW-Authenticate"]


def test_each_lie_changes_the_answer(world: World, plain: PlainClient) -> None:
    lies = plain.server.lies
    lies.subject = world.bob.did
    lies.metadata = {"token_endpoint": REMOVED}
    lies.callback_iss = "https://as.elsewhere.social"
    lies.callback_repeats = ("state",)
    url = consent(plain).approves("alice.skyhost.social").url

    assert url.count("state=") == 2
    assert "iss=https%3A%2F%2Fas.elsewhere.social" in url
    assert plain.exchange(code_in(url)).json()["sub"] == world.bob.did
    assert "token_endpoint" not in plain.server.metadata()


def test_server_that_always_wants_a_new_nonce_refuses(plain: PlainClient) -> None:
    plain.server.proofs.wants_another_nonce = True

    assert error(plain.push()) == "use_dpop_nonce"


def test_a_refusal_after_every_check(plain: PlainClient) -> None:
    plain.server.lies.refuses["/oauth/par"] = Refusal("server_error", "later", 500)

    assert error(plain.push()) == "server_error"
