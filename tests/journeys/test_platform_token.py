"""The platform's token and cookies: what is in them, and how anybody verifies them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import RSAAlgorithm

from app.config import SettingsInvalid
from app.flows.sessions.verify import CACHE_ENTRIES
from tests.fakes.browser import Browser
from tests.fakes.cookies import Cookie
from tests.fakes.dpop import UNDATED, digest
from tests.fakes.world import World
from tests.service import HOME, Prepared, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
HOST_COOKIE = "__Host-platform_token"


def cookie_of(browser: Browser, name: str = "platform_token") -> Cookie:
    cookie = browser.jar.get(name)
    assert cookie is not None
    return cookie


def verified(service: Service, token: str, **options: Any) -> dict[str, Any]:
    """Verify as another service does: by the published keys, at the fake time."""
    jwks = jwt.PyJWKSet.from_dict(service.get("/.well-known/jwks.json").json())
    header = jwt.get_unverified_header(token)
    claims: dict[str, Any] = jwt.decode(
        token,
        jwks[header["kid"]].key,
        algorithms=["RS256"],
        issuer=HOME,
        audience=HOME,
        options={**UNDATED, "require": ["exp", "iat", "nbf", "sub", "jti", "sid"]},
    )
    return claims


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    """The application with the algorithm that platforms have unless they say so."""
    return open_service(token_algorithm="RS256")


@pytest.fixture(scope="module")
def standing(open_standing: Callable[..., Service]) -> Service:
    """The same for cases that change nothing."""
    return open_standing(token_algorithm="RS256")


@pytest.fixture(scope="module")
def signed_in(standing: Service) -> Browser:
    """Alice at that application."""
    return signs_in(standing, standing.browser(), ALICE, username="alice")


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def test_a_sibling_verifies_the_cookie_offline(
    alice: Browser, service: Service, world: World
) -> None:
    claims = verified(service, cookie_of(alice).value)

    now = int(world.clock())
    assert claims["sub"] == world.alice.did
    assert claims["handle"] == ALICE
    assert claims["username"] == "alice"
    assert claims["iat"] == claims["nbf"] == now - 30
    assert claims["exp"] == now + 24 * 3600
    assert set(claims) == {
        "iss",
        "sub",
        "aud",
        "iat",
        "nbf",
        "exp",
        "jti",
        "sid",
        "handle",
        "username",
    }


def test_the_header_names_the_key_by_its_thumbprint(
    alice: Browser, service: Service
) -> None:
    """RFC 7638."""
    header = jwt.get_unverified_header(cookie_of(alice).value)
    (jwk,) = service.get("/.well-known/jwks.json").json()["keys"]

    assert header["alg"] == "RS256"
    assert header["typ"]
    assert header["kid"] == jwk["kid"]
    members = {name: jwk[name] for name in ("e", "kty", "n")}
    assert jwk["kid"] == digest(json.dumps(members, separators=(",", ":")))


def test_only_public_halves_of_the_platforms_keys_are_published(
    service: Service, prepared: Prepared
) -> None:
    """Never the client's keys, never a private part (requirement 9.23)."""
    jwks = service.get("/.well-known/jwks.json").json()

    assert [jwk["kty"] for jwk in jwks["keys"]] == ["RSA"]
    for jwk in jwks["keys"]:
        assert set(jwk) == {"kty", "n", "e", "kid", "alg", "use"}
    pem = prepared.platform_key.read_bytes()
    private = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)
    assert RSAAlgorithm.to_jwk(private, as_dict=True)["n"] == jwk["n"]


def test_no_token_of_the_host_is_in_ours(alice: Browser, world: World) -> None:
    """Requirements 7.22, 9.15: the cookie carries only ours."""
    grant = world.skyhost.server.grants.alive(world.alice.did)[0]
    held = " ".join(cookie.value for cookie in alice.jar)

    assert grant.access_token not in held
    assert grant.refresh_token not in held


def test_every_token_is_another(alice: Browser, service: Service, world: World) -> None:
    first = verified(service, cookie_of(alice).value)
    world.clock.advance(60)
    alice.visits("/auth/login")
    second = verified(service, cookie_of(alice).value)

    assert first["jti"] != second["jti"]
    assert first["sid"] == second["sid"]
    assert second["exp"] == first["exp"] + 60


def test_who_am_i_by_cookie_and_by_header(
    alice: Browser, service: Service, world: World
) -> None:
    token = cookie_of(alice).value
    claims = verified(service, token)

    by_cookie = alice.visits("/auth/session").json
    by_header = service.get("/auth/session", Authorization=f"Bearer {token}").json()

    assert by_cookie == by_header
    assert by_cookie == {
        "did": world.alice.did,
        "handle": ALICE,
        "username": "alice",
        "session_id": claims["sid"],
        "scope": "atproto",
        "issued_at": claims["iat"],
        "expires_at": claims["exp"],
        "session_expires_at": int(world.clock()) + 30 * 24 * 3600,
    }


@cache
def private_key(path: Path) -> RSAPrivateKey:
    """Return the platform's key, read once: that takes longer than a sign-in."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def forged(service: Service, prepared: Prepared, **changes: Any) -> str:
    """Sign with the right key, and say something else."""
    now = int(service.world.clock())
    did, sid = service.rows("SELECT did, sid FROM sessions")[0]
    claims = {
        "iss": HOME,
        "sub": did,
        "aud": HOME,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": "x",
        "sid": sid,
        "handle": None,
        "username": "alice",
    }
    (jwk,) = service.get("/.well-known/jwks.json").json()["keys"]
    headers = {"kid": jwk["kid"], "typ": "JWT", **changes.pop("headers", {})}
    key = changes.pop("key", private_key(prepared.platform_key))
    algorithm = changes.pop("algorithm", "RS256")
    wanted = {n: v for n, v in {**claims, **changes}.items() if v is not ...}
    return jwt.encode(wanted, key, algorithm=algorithm, headers=headers)


def test_a_token_of_the_right_make_is_taken(
    alice: Browser, service: Service, prepared: Prepared
) -> None:
    """So that the refusals below are for what they change."""
    real = jwt.get_unverified_header(cookie_of(alice).value)
    token = forged(service, prepared, headers={"typ": real["typ"]})

    assert service.get("/auth/session", Authorization=f"Bearer {token}").status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.cafe"},
        {"aud": "https://app.platform.cafe"},
        {"aud": [HOME]},
        {"exp": 1},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"sub": "did:plc:somebodyelse"},
        {"sid": "unknown"},
        {"sid": ...},
        {"sub": ...},
        {"exp": ...},
        {"headers": {"typ": "at+other"}},
        {"headers": {"kid": "unknown"}},
        {
            "headers": {"jwk": {"kty": "oct", "k": "YQ"}},
            "key": "a" * 32,
            "algorithm": "HS256",
        },
        {"algorithm": "RS512"},
        {"algorithm": "PS256"},
        {"algorithm": "none", "key": None},
    ],
    ids=str,
)
def test_a_token_that_we_would_not_make_is_refused(
    signed_in: Browser, standing: Service, prepared: Prepared, changes: dict[str, Any]
) -> None:
    """Exact algorithm, issuer, audience and type; a living session behind it."""
    real = jwt.get_unverified_header(cookie_of(signed_in).value)
    headers = {"typ": real["typ"], **changes.get("headers", {})}
    token = forged(standing, prepared, **{**changes, "headers": headers})

    answer = standing.get("/auth/session", Authorization=f"Bearer {token}")

    assert answer.status == 401
    assert answer.json()["error"] == "not_signed_in"


def test_a_token_of_one_person_with_the_session_of_another(
    alice: Browser, service: Service, prepared: Prepared, world: World
) -> None:
    """The session behind a token is its own person's."""
    signs_in(service, service.browser(), "bob.skyhost.social", username="bobby")
    real = jwt.get_unverified_header(cookie_of(alice).value)
    ((sid,),) = service.rows("SELECT sid FROM sessions WHERE did = ?", world.alice.did)
    changes = {"sub": world.bob.did, "sid": sid, "headers": {"typ": real["typ"]}}
    token = forged(service, prepared, **changes)

    assert service.get("/auth/session", Authorization=f"Bearer {token}").status == 401


def test_the_public_key_is_no_shared_secret(
    alice: Browser, service: Service, prepared: Prepared
) -> None:
    """The classic confusion: HS256 with the RSA public key as its secret."""
    (jwk,) = service.get("/.well-known/jwks.json").json()["keys"]
    body = cookie_of(alice).value.split(".")[1]
    header = jwt.utils.base64url_encode(
        json.dumps({"alg": "HS256", "typ": "JWT", "kid": jwk["kid"]}).encode()
    ).decode()
    signed = f"{header}.{body}"
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = mac.sign(signed.encode(), json.dumps(jwk).encode())
    token = f"{signed}.{jwt.utils.base64url_encode(signature).decode()}"

    assert service.get("/auth/session", Authorization=f"Bearer {token}").status == 401


def test_a_token_ends_on_time(alice: Browser, service: Service, world: World) -> None:
    token = cookie_of(alice).value
    world.clock.advance(24 * 3600)

    assert service.get("/auth/session", Authorization=f"Bearer {token}").status == 401


# --- cookies --------------------------------------------------------------------------


def test_cookies_in_production(alice: Browser, world: World) -> None:
    """Requirement 9.15: ours `__Host-`, the token for the parent domain; all
    bounded.
    """
    token = cookie_of(alice)
    assert token.domain == "platform.cafe"
    assert not token.host_only
    assert token.expires_at == world.clock() + 24 * 3600
    ours = [cookie for cookie in alice.jar if cookie.name != "platform_token"]
    assert ours
    for cookie in [*ours, token]:
        assert cookie.secure
        assert cookie.http_only
        assert cookie.same_site == "Lax"
        assert cookie.path == "/"
        assert cookie.expires_at is not None
    assert all(cookie.name.startswith("__Host-") for cookie in ours)


def test_a_flows_cookie_lives_as_long_as_the_flow(
    browser: Browser, world: World
) -> None:
    """Requirements 9.12, 9.13."""
    browser.opens_login().types(ALICE)

    (flow,) = [cookie for cookie in browser.jar if "flow" in cookie.name]
    assert flow.name.startswith("__Host-")
    assert flow.secure
    assert flow.http_only
    assert flow.same_site == "Lax"
    assert flow.expires_at == world.clock() + 3600


def test_cookies_in_loopback_development(
    open_service: Callable[..., Service],
) -> None:
    """Requirement 9.15: no Secure and no prefix, or a browser would drop them over
    http.
    """
    service = open_service(loopback=True)
    browser = service.browser()

    arrived = browser.signs_in(ALICE, username="alice")

    assert arrived.url == "http://127.0.0.1:8000/auth/account"
    cookies = list(browser.jar)
    assert cookies
    for cookie in cookies:
        assert not cookie.secure
        assert cookie.http_only
        assert cookie.same_site == "Lax"
        assert cookie.host_only
        assert not cookie.name.startswith("__")


def test_without_a_domain_the_token_stays_with_its_host(
    open_service: Callable[..., Service],
) -> None:
    browser = open_service(cookie_domain=None).browser()
    browser.signs_in(ALICE, username="alice")

    assert cookie_of(browser, HOST_COOKIE).host_only
    assert browser.jar.get("platform_token") is None


def test_token_in_a_cookie_of_the_former_name_is_accepted_and_replaced(
    open_service: Callable[..., Service],
) -> None:
    browser = open_service(cookie_domain=None).browser()
    browser.signs_in(ALICE, username="alice")
    token = cookie_of(browser, HOST_COOKIE).value
    browser.jar.receive(HOME, [f"{HOST_COOKIE}=; Path=/; Secure; Max-Age=0"])
    browser.jar.receive(HOME, [f"platform_token={token}; Path=/; Secure"])

    assert browser.visits("/auth/session").status == 200
    browser.visits("/auth/login")

    assert cookie_of(browser, HOST_COOKIE).host_only
    assert browser.jar.get("platform_token") is None


def test_token_in_a_cookie_of_the_former_name_is_ignored_without_a_session_cookie(
    open_service: Callable[..., Service],
) -> None:
    """A sibling host can set the former name, and no `__Host-` cookie."""
    service = open_service(cookie_domain=None)
    attacker, visitor = service.browser(), service.browser()
    attacker.signs_in(ALICE, username="alice")
    token = cookie_of(attacker, HOST_COOKIE).value
    visitor.jar.receive(HOME, [f"platform_token={token}; Path=/; Secure"])

    assert visitor.visits("/auth/session").status == 401
    assert visitor.visits("/auth/verify").status == 401


def test_token_of_another_session_in_a_cookie_of_the_former_name_is_ignored(
    open_service: Callable[..., Service],
) -> None:
    """A sibling host sets it for a visitor who is signed in, whose token is over."""
    service = open_service(cookie_domain=None)
    attacker, visitor = service.browser(), service.browser()
    attacker.signs_in("bob.skyhost.social", username="bob")
    visitor.signs_in(ALICE, username="alice")
    token = cookie_of(attacker, HOST_COOKIE).value
    visitor.jar.receive(HOME, [f"{HOST_COOKIE}=; Path=/; Secure; Max-Age=0"])
    visitor.jar.receive(HOME, [f"platform_token={token}; Path=/; Secure"])

    assert visitor.visits("/auth/session").status == 401
    assert visitor.visits("/auth/verify").status == 401


def test_logout_deletes_a_cookie_of_the_former_name(
    open_service: Callable[..., Service],
) -> None:
    browser = open_service(cookie_domain=None).browser()
    browser.signs_in(ALICE, username="alice")
    browser.jar.receive(HOME, ["platform_token=old; Path=/; Secure"])

    browser.signs_out()

    assert browser.jar.get("platform_token") is None
    assert browser.jar.get(HOST_COOKIE) is None


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_the_algorithm_is_a_setting(
    open_service: Callable[..., Service], algorithm: str
) -> None:
    service = open_service(token_algorithm=algorithm)
    assert service.app.test_cli_runner().invoke(args=["init"]).exit_code == 0
    browser = signs_in(service, service.browser(), ALICE, username="alice")

    token = cookie_of(browser).value
    jwks = jwt.PyJWKSet.from_dict(service.get("/.well-known/jwks.json").json())
    key = jwks[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key.key, algorithms=[algorithm], audience=HOME, options=UNDATED
    )
    assert claims["username"] == "alice"


def test_a_shared_secret_publishes_only_the_key_of_id_tokens(
    open_service: Callable[..., Service],
) -> None:
    secret = b"a secret of forty bytes, for one service"
    service = open_service(token_algorithm="HS256", jwt_secret=secret)
    browser = signs_in(service, service.browser(), ALICE, username="alice")

    (published,) = service.get("/.well-known/jwks.json").json()["keys"]
    assert (published["kty"], published["alg"]) == ("RSA", "RS256")
    claims = jwt.decode(
        cookie_of(browser).value,
        secret,
        algorithms=["HS256"],
        audience=HOME,
        options=UNDATED,
    )
    assert claims["username"] == "alice"
    assert browser.visits("/auth/session").status == 200


def test_a_public_suffix_cannot_hold_the_cookie(
    open_service: Callable[..., Service],
) -> None:
    with pytest.raises(SettingsInvalid, match="public suffix"):
        open_service(cookie_domain="cafe")


def test_verified_tokens_are_kept_up_to_a_number(service: Service) -> None:
    seen = service.app.extensions["latchkey"].flows.verify.seen
    for number in range(CACHE_ENTRIES + 1):
        seen.put(str(number), number, lifetime=5.0)

    assert len(seen._entries) <= CACHE_ENTRIES
    assert seen.get(str(CACHE_ENTRIES)) == CACHE_ENTRIES
