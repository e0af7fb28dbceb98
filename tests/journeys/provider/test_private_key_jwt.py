"""private_key_jwt: a client signs in with its keys in place of a secret (P10)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from app.factory.web import create_app
from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.journeys.people.commands import prints, runs
from tests.journeys.provider.back_channel import App, basic, error_of
from tests.service import HOME, Service, close, outside_of
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.network import Answer
    from tests.fakes.world import World

ALICE = "alice.skyhost.social"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = ec.generate_private_key(ec.SECP256R1())
JWKS = {"keys": [{**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"}]}
INVALID = (401, "invalid_client")


@pytest.fixture
def app(browser: Browser, service: Service, tmp_path: Path) -> App:
    signs_in(service, browser, ALICE, username="alice")
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(JWKS))
    return App.added(service, "--jwks", str(file))


def assertion(service: Service, *, kid: str = "k1", **changes: Any) -> str:
    now = int(service.world.clock())
    claims = {
        "iss": "app",
        "sub": "app",
        "aud": HOME,
        "jti": "one",
        "iat": now,
        "exp": now + 60,
        **changes,
    }
    return jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": kid})


def redeems(app: App, shown: str, **changes: Any) -> Answer:
    body = {"client_assertion": shown, "client_assertion_type": TYPE, **changes}
    return app.redeems(app.code(), auth=False, **body)


def test_client_with_keys_signs_in_without_a_secret(app: App, service: Service) -> None:
    assert app.secret is None
    [shown] = prints(service, "clients", "show", "app")
    assert (shown["authentication"], shown["secrets"]) == ("private_key_jwt", [])
    assert runs(service, "clients", "secret", "add", "app").exit_code == 1

    assert redeems(app, assertion(service)).status == 200
    answer = app.posts(
        "/oauth/introspect",
        auth=False,
        token="x",
        client_assertion=assertion(service, jti="two"),
        client_assertion_type=TYPE,
    )
    assert answer.json() == {"active": False}


def test_assertion_is_good_once_on_all_nodes(app: App, service: Service) -> None:
    shown = assertion(service)
    assert redeems(app, shown).status == 200
    other = create_app(
        service.settings, outside=outside_of(service.world, service.settings)
    )
    tokens = other.extensions["latchkey"].flows.tokens

    assert error_of(redeems(app, shown)) == INVALID
    client = tokens.authenticate.clients.get("app")
    assert not tokens.authenticate.verify(client, shown)
    assert tokens.authenticate.verify(client, assertion(service, jti="two"))
    close(other)
    assert shown not in repr(service.rows("SELECT * FROM provider_assertions"))


def test_used_assertions_are_swept_once_they_are_over(
    app: App, service: Service
) -> None:
    redeems(app, assertion(service))
    service.world.clock.advance(61)

    runs(service, "sweep")

    assert service.rows("SELECT * FROM provider_assertions") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{HOME}/oauth/token"},
        {"iss": "other", "sub": "other"},
        {"exp": 1},
    ],
)
def test_assertion_that_is_not_for_us_is_invalid_client(
    app: App, service: Service, changes: dict[str, Any]
) -> None:
    assert error_of(redeems(app, assertion(service, **changes))) == INVALID


def test_assertion_of_an_issuer_that_is_no_text_is_invalid_client(
    app: App, service: Service
) -> None:
    """A lone surrogate in JSON: no database takes it as a client_id."""
    shown = assertion(service, iss="\ud800", sub="\ud800")

    assert error_of(redeems(app, shown)) == INVALID


def test_client_with_keys_authenticates_in_no_other_way(
    app: App, service: Service
) -> None:
    App.added(service, name="other")

    assert error_of(app.redeems(app.code(), auth=False, client_id="app")) == INVALID
    shown = assertion(service, iss="other", sub="other")
    assert error_of(redeems(app, shown)) == INVALID
    desk = App.added(service, "--public", name="desk")
    shown = assertion(service, iss="desk", sub="desk")
    assert error_of(redeems(desk, shown)) == INVALID
    twice = redeems(app, assertion(service), client_secret="x")
    assert error_of(twice) == (400, "invalid_request")
    twice = redeems(
        app, assertion(service), headers={"Authorization": basic("app", "x")}
    )
    assert error_of(twice) == (400, "invalid_request")
    named = redeems(app, assertion(service), client_id="other")
    assert error_of(named) == (400, "invalid_request")
    for body in ({"client_assertion_type": TYPE}, {"client_assertion": "x"}):
        assert error_of(app.redeems(app.code(), auth=False, **body)) == INVALID


# --- keys at a URL --------------------------------------------------------------------


URI = "https://keys.apps.social/jwks.json"


class KeyHost:
    """Serves a JWK set on the fake network."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.document: Any = JWKS
        self.before: Callable[[], None] = lambda: None

    def __call__(self, environ: Any, start: Any) -> list[bytes]:
        before, self.before = self.before, lambda: None
        before()
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self.document).encode()]

    def asked(self) -> int:
        return sum(one.url == URI for one in self.world.network.sent())


@pytest.fixture
def host(world: World) -> KeyHost:
    host = KeyHost(world)
    world.network.serve("keys.apps.social", host)
    return host


@pytest.fixture
def remote(browser: Browser, service: Service, host: KeyHost) -> App:
    signs_in(service, browser, ALICE, username="alice")
    return App.added(service, "--jwks-uri", URI)


def test_keys_are_fetched_once_through_the_hardened_door(
    remote: App, service: Service, host: KeyHost
) -> None:
    for name in ("one", "two", "three"):
        assert redeems(remote, assertion(service, jti=name)).status == 200
    shown = assertion(service, jti="four")
    proof = {"client_assertion": shown, "client_assertion_type": TYPE}
    pushed = remote.posts("/oauth/par", auth=False, response_type="code", **proof)

    assert error_of(pushed)[0] == 400  # and the client is known
    assert host.asked() == 1


def test_key_that_is_new_is_looked_for_after_a_while(
    remote: App, service: Service, host: KeyHost
) -> None:
    host.document = {"keys": [{**JWKS["keys"][0], "kid": "old"}]}
    for _ in range(3):
        assert error_of(redeems(remote, assertion(service))) == INVALID
    assert host.asked() == 1
    host.document = JWKS
    service.world.clock.advance(10)

    assert redeems(remote, assertion(service)).status == 200
    assert host.asked() == 2


def test_keys_out_of_reach_are_503(
    remote: App, service: Service, host: KeyHost, world: World
) -> None:
    world.network.lay(URI, faults.Refuses())

    answers = [redeems(remote, assertion(service)) for _ in range(3)]

    assert {error_of(one) for one in answers} == {(503, "temporarily_unavailable")}
    world.network.mend()
    world.clock.advance(60)
    assert redeems(remote, assertion(service)).status == 200


def test_key_that_is_none_takes_no_key_away_while_the_host_is_down(
    remote: App, service: Service, world: World
) -> None:
    """Strangers choose the `kid` of an assertion."""
    assert redeems(remote, assertion(service)).status == 200
    world.clock.advance(10)
    world.network.lay(URI, faults.Refuses())
    assert error_of(redeems(remote, assertion(service, kid="none"))) == INVALID

    assert redeems(remote, assertion(service, jti="two")).status == 200
    world.clock.advance(290)
    out_of_reach = (503, "temporarily_unavailable")
    assert error_of(redeems(remote, assertion(service, jti="three"))) == out_of_reach


def test_keys_are_fetched_by_one_request_at_a_time(
    remote: App, service: Service, host: KeyHost
) -> None:
    """While the host answers one request, another one comes with a key that is none."""
    assert redeems(remote, assertion(service)).status == 200
    service.world.clock.advance(10)
    meanwhile: list[Answer] = []
    host.before = lambda: meanwhile.append(
        redeems(remote, assertion(service, kid="none"))
    )

    assert error_of(redeems(remote, assertion(service, kid="other"))) == INVALID
    assert [error_of(one) for one in meanwhile] == [INVALID]
    assert host.asked() == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--jwks-uri", "http://keys.apps.social/jwks.json"),
        ("--jwks-uri", "https://u@keys.apps.social/jwks.json"),
        ("--jwks-uri", "https://keys.apps.social/jwks.json#x"),
        ("--jwks-uri", URI, "--public"),
        ("--jwks-uri", "x" * 3_000),
    ],
)
def test_add_refuses_keys_that_cannot_be(
    service: Service, options: tuple[str, ...]
) -> None:
    plain = ("--redirect-uri", "https://app.example.org/cb", "--allow", "everyone")

    assert runs(service, "clients", "add", "app", *plain, *options).exit_code == 1


def test_add_refuses_a_private_key(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    private = ECAlgorithm.to_jwk(KEY, as_dict=True)
    file.write_text(json.dumps({"keys": [private]}))
    plain = ("--redirect-uri", "https://app.example.org/cb", "--allow", "everyone")

    result = runs(service, "clients", "add", "app", *plain, "--jwks", str(file))

    assert (result.exit_code, "private" in result.output) == (1, True)
    assert private["d"] not in result.output
