"""What machines read from us: while a login waits, and with the database down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.blueprints.health import warm_up
from app.config import Address
from tests.fakes.app import App, confirms
from tests.fakes.browser import AtHost, Browser
from tests.fakes.network import Answer, FakeNetwork, Fault, Sent
from tests.fakes.world import THE_SERVER, World
from tests.service import HOME, LOOPBACK, Service, database_of
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
CLIENT_ID = f"{HOME}/oauth-client-metadata.json"
PATHS = ["/oauth-client-metadata.json", "/auth/client-metadata.json"]
DOCUMENTS = [
    *PATHS,
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
]


def broken(service: Service) -> None:
    """Break the database as thoroughly as a lost disk does."""
    path = Path(service.settings.database_url.removeprefix("sqlite:///"))
    database_of(service.app).close()
    for one in path.parent.glob(path.name + "*"):
        one.unlink()
    path.mkdir()


# --- client metadata (section 3) ------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_the_metadata_says_its_own_address(service: Service, path: str) -> None:
    """Requirement 3.1: `client_id` is the URL at which it lives, byte for byte."""
    answer = service.get(path)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["client_id"] == HOME + path
    assert len(answer.body) < 8_192


def test_what_the_metadata_says(service: Service) -> None:
    """Requirements 3.6 to 3.10, 3.14 to 3.17."""
    document = service.get("/oauth-client-metadata.json").json()

    (jwk,) = document.pop("jwks")["keys"]
    assert document == {
        "client_id": CLIENT_ID,
        "application_type": "web",
        "client_name": "The Platform",
        "client_uri": f"{HOME}/",
        "redirect_uris": [f"{HOME}/auth/callback"],
        "scope": "atproto",
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "dpop_bound_access_tokens": True,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
    }
    assert jwk["kid"] == "client-of-the-tests"
    assert set(jwk) <= {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_the_other_path_may_be_the_client(
    open_service: Callable[..., Service], network: FakeNetwork
) -> None:
    """A setting names the one in use."""
    browser = open_service(client_metadata_path="/auth/client-metadata.json").browser()

    assert browser.signs_in(ALICE, username="alice").status == 200
    assert network.sent(sender=THE_SERVER)[0].url == f"{HOME}/auth/client-metadata.json"


def test_the_scope_of_the_metadata_is_what_we_ask(
    open_service: Callable[..., Service], network: FakeNetwork
) -> None:
    service = open_service(scope="atproto account:email")
    service.browser().opens_login().types(ALICE)

    assert service.get("/oauth-client-metadata.json").json()["scope"] == (
        "atproto account:email"
    )
    assert network.sent(path="/oauth/par")[0].form["scope"] == "atproto account:email"


def test_a_narrower_grant_signs_in(
    open_service: Callable[..., Service], world: World
) -> None:
    """Requirements 6.16, 8.8: what was dropped is simply not there."""
    world.skyhost.server.lies.granted_scope = "atproto"
    browser = open_service(scope="atproto account:email").browser()

    assert browser.signs_in(ALICE, username="alice").status == 200


# --- while others wait ----------------------------------------------------------------


def test_metadata_is_served_while_our_own_request_waits(
    service: Service, network: FakeNetwork
) -> None:
    """Requirement 3.13: the server asks us in the middle of PAR, and only then
    answers.
    """
    service.browser().opens_login().types(ALICE)

    urls = [(one.sender, one.url) for one in network.log]
    asked_us = urls.index((THE_SERVER, CLIENT_ID))
    pushed = [i for i, (_, url) in enumerate(urls) if url.endswith("/oauth/par")]
    assert pushed[-1] < asked_us == len(urls) - 1


class _Holds(Fault):
    """Keeps a request back until the test has looked around."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def before(self, sent: Sent, timeout: float) -> None:
        self.arrived.set()
        assert self.go_on.wait(20)


def test_documents_and_tokens_are_served_while_a_host_is_slow(
    service: Service, browser: Browser, network: FakeNetwork
) -> None:
    """A slow host delays no other request: no lock is held meanwhile."""
    browser.signs_in(ALICE, username="alice")
    held = _Holds()
    network.lay("https://as.skyhost.social/oauth/par", held, times=1)
    outcome: list[object] = []

    def log_in() -> None:
        slow = service.browser()
        outcome.append(slow.opens_login().types("bob.skyhost.social"))

    waiting = threading.Thread(target=log_in)
    waiting.start()
    assert held.arrived.wait(20)

    for path in DOCUMENTS:
        assert service.get(path).status == 200
    assert browser.visits("/auth/session").status == 200
    assert service.browser().signs_in("rosies.garden", username="rosie").status == 200

    held.go_on.set()
    waiting.join(20)
    assert isinstance(outcome[0], AtHost)


# --- with the database down -----------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents_are_served_with_the_database_down(
    service: Service, path: str
) -> None:
    """Requirement 3.12: a running service goes on; hosts need the metadata for
    every refresh.
    """
    before = service.get(path).body
    broken(service)
    service.world.clock.advance(3_600)

    answer = service.get(path)

    assert answer.status == 200
    assert answer.body == before


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_worker_that_was_never_asked_serves_them_too(
    service: Service, path: str
) -> None:
    """Requirement 3.12: what a worker needs is in its memory from its start."""
    warm_up(service.app)
    broken(service)

    assert service.get(path).status == 200


def test_readiness_tells_what_is_missing(service: Service) -> None:
    assert service.get("/readyz").status == 200
    broken(service)
    service.world.clock.advance(1)

    answer = service.get("/readyz")

    assert answer.status == 503
    assert answer.json()["checks"]["database"] != "ok"
    assert service.get("/healthz").status == 200


def test_a_login_with_the_database_down_is_our_own_fault(
    service: Service, browser: Browser
) -> None:
    """503, and never "account not found" or "signed out"."""
    broken(service)

    page = browser.opens_login().tries(ALICE)

    assert not isinstance(page, AtHost)
    assert (page.status, page.error) == (503, "service_unavailable")


def test_database_outage_keeps_sessions_signed_in(
    service: Service, browser: Browser
) -> None:
    """An outage is not an absence: cookies stay, the answer is 503."""
    browser.signs_in(ALICE, username="alice")
    broken(service)

    assert browser.visits("/auth/session").status == 503
    assert browser.visits("/auth/account").status == 503
    assert browser.jar.get("platform_token")
    assert browser.jar.get("__Host-latchkey-session")


def test_grant_that_cannot_be_stored_is_revoked(
    service: Service, browser: Browser, world: World
) -> None:
    """Requirement 6.15: the database fails between the code and the session."""
    at_host = browser.opens_login().types(ALICE)
    service.rows("ALTER TABLE sessions RENAME TO gone")

    page = at_host.approves()

    assert (page.status, page.error) == (503, "service_unavailable")
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert service.rows("SELECT * FROM oauth_sessions") == []


def test_a_service_without_keys_says_so(
    open_service: Callable[..., Service], tmp_path: Path
) -> None:
    """Before `init` nothing can be signed; the start is not the place to find out."""
    service = open_service(database_url=f"sqlite:///{tmp_path / 'empty.db'}")

    answer = service.get("/readyz")

    assert answer.status == 503
    assert service.get("/healthz").status == 200


# --- our own server metadata ----------------------------------------------------------


def test_our_own_metadata_names_issuer_and_keys(service: Service) -> None:
    """RFC 8414: the issuer equals the origin it is fetched from."""
    document = service.get("/.well-known/oauth-authorization-server").json()

    assert document["issuer"] == HOME
    assert document["jwks_uri"] == f"{HOME}/.well-known/jwks.json"
    for name in ("authorization_endpoint", "jwks_uri"):
        assert document[name].startswith(f"{HOME}/")


# --- loopback development -------------------------------------------------------------


def test_loopback_development_signs_in_without_key_or_domain(
    open_service: Callable[..., Service], network: FakeNetwork
) -> None:
    """Requirements 3.26 to 3.29: the id says everything, nothing is fetched, no
    assertion.
    """
    browser = open_service(loopback=True).browser()

    arrived = browser.signs_in(ALICE, username="alice")

    assert arrived.url == f"{LOOPBACK}/auth/account"
    pushed = network.sent(path="/oauth/par")[-1].form
    assert pushed["client_id"].startswith("http://localhost?")
    assert pushed["redirect_uri"] == f"{LOOPBACK}/auth/callback"
    assert "client_assertion" not in pushed
    assert network.sent(sender=THE_SERVER) == []


def test_loopback_development_signs_in_on_ipv6_alike(
    open_service: Callable[..., Service], network: FakeNetwork
) -> None:
    """Requirements 3.26 to 3.28: bound to [::1], and the browser stays there all
    the way.
    """
    service = open_service(loopback=True, bind=Address("::1", 8000))
    browser = service.browser()

    arrived = browser.signs_in(ALICE, username="alice")

    assert arrived.url == "http://[::1]:8000/auth/account"
    pushed = network.sent(path="/oauth/par")[-1].form
    assert pushed["redirect_uri"] == "http://[::1]:8000/auth/callback"
    assert "%5B%3A%3A1%5D" in pushed["client_id"]
    assert browser.is_signed_in()


def test_an_app_signs_in_on_ipv6_loopback(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(loopback=True, bind=Address("::1", 8000))
    signs_in(service, service.browser(), ALICE, username="alice")
    app = App(service).starts(ALICE)

    confirms(service.browser(), app)

    assert app.link.startswith("http://[::1]:8000/auth/native/open?")
    assert app.status() == "completed"


def test_localhost_in_development_redirects_to_127_0_0_1(
    open_service: Callable[..., Service],
) -> None:
    """Requirement 3.28: cookies of `localhost` would be missing at the callback."""
    browser = open_service(loopback=True).browser()

    answer = browser.requests(
        "GET",
        f"{LOOPBACK}/auth/login?return_to=/auth/account",
        headers={"Host": "localhost:8000"},
    )

    assert answer.status == 302
    assert answer.headers["Location"] == (
        f"{LOOPBACK}/auth/login?return_to=/auth/account"
    )


def documents_of(answer: Answer) -> Any:
    return json.loads(answer.body)


def test_production_does_not_become_a_loopback_client(
    service: Service,
) -> None:
    """Requirement 3.31: for every Host header."""
    for host in ("127.0.0.1:8000", "localhost"):
        answer = service.get("/oauth-client-metadata.json", Host=host)
        assert documents_of(answer)["client_id"] == CLIENT_ID
