"""What a stolen database or a leaked log would tell: nothing that opens anything.

A full run is made (sign-up, failures, two devices, signing out) while every secret that
shows itself on the wire or in a browser is written down; then they are looked for, in
every spelling that a store or a log might use (requirements 7.23 and 9.22).
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import jwt
import pytest

from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, SECRET_KEY, Prepared, Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
TOKEN = "https://as.skyhost.social/oauth/token"
SECRET_FIELDS = ("code", "code_verifier", "client_assertion", "refresh_token", "token")
CALLBACK_FIELDS = ("code", "state")


def on_the_wire(network: FakeNetwork) -> Iterator[str]:
    """Everything secret that we sent, or were sent."""
    for sent in network.log:
        if proof := sent.headers.get("DPoP"):
            yield proof
            yield str(sent.proof["jti"])
        if sent.headers.get("Content-Type") == "application/x-www-form-urlencoded":
            fields = dict(parse_qsl(sent.body.decode()))
            yield from (fields[name] for name in SECRET_FIELDS if name in fields)
        query = dict(parse_qsl(urlsplit(sent.url).query))
        if "/auth/callback" in sent.url:
            yield from (query[name] for name in CALLBACK_FIELDS if name in query)
            yield urlsplit(sent.url).query
        yield from (query[name] for name in ("request_uri",) if name in query)


def in_browsers(browsers: list[Browser]) -> Iterator[str]:
    """The secrets that cookies hold, the parts of them too."""
    for browser in browsers:
        for cookie in browser.jar:
            if "accounts" in cookie.name:
                continue
            yield cookie.value
            yield cookie.value.rpartition(".")[2]
        for url in browser.trail:
            query = dict(parse_qsl(urlsplit(url).query))
            yield from (
                query[n] for n in ("request_uri", "code", "state") if n in query
            )


def at_hosts(world: World) -> Iterator[str]:
    for server in world.servers.values():
        for grant in server.grants.all:
            yield grant.access_token
            yield grant.refresh_token


def our_own(prepared: Prepared) -> Iterator[str]:
    """Private keys and the key that seals them."""
    yield json.loads(prepared.client_key.read_text())["d"]
    pem = prepared.platform_key.read_bytes()
    key = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
    private = jwt.algorithms.RSAAlgorithm.to_jwk(key.prepare_key(pem), as_dict=True)
    yield from (str(private[name]) for name in ("d", "p", "q", "dp", "dq", "qi"))
    yield from pem.decode().splitlines()[1:-1]
    yield base64.urlsafe_b64encode(SECRET_KEY).decode().rstrip("=")


def spellings(secret: str) -> Iterator[bytes]:
    """The ways in which a secret may stand somewhere."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield base64.b64encode(raw).rstrip(b"=")
    yield base64.urlsafe_b64encode(raw).rstrip(b"=")
    yield binascii.hexlify(raw)
    yield json.dumps(secret)[1:-1].encode()


class Run:
    """A full run, and the secrets that it showed."""

    def __init__(self, service: Service, prepared: Prepared) -> None:
        self.service = service
        self.world = service.world
        self.browsers = [service.browser() for _ in range(4)]
        self.secrets: set[str] = set(our_own(prepared))

    def write_down(self) -> None:
        """Note every secret that shows itself by now."""
        found = [
            *on_the_wire(self.world.network),
            *in_browsers(self.browsers),
            *at_hosts(self.world),
        ]
        self.secrets |= {secret for secret in found if len(secret) >= 8}

    def signs_up_and_on(self) -> None:
        first, second, *_ = self.browsers
        first.opens_login().types(ALICE).approves()
        self.write_down()
        first.visits("/auth/signup").chooses("alice")
        second.signs_in(ALICE)
        first.visits("/auth/session")
        self.write_down()

    def fails_in_many_ways(self) -> None:
        third = self.browsers[2]
        third.opens_login().types(ALICE).approves(BOB)
        self.write_down()
        third.opens_login().types(ALICE).meets("server_error", "later")
        self.write_down()
        self.world.network.lay(TOKEN, faults.DropsAnswer(), times=1)
        third.opens_login().types(ALICE).approves()
        self.write_down()
        self.world.network.lay(TOKEN, faults.ChangesJSON({"sub": 7}), times=1)
        third.opens_login().types(ALICE).approves()
        self.write_down()
        callback = third.opens_login().types(BOB).answer()
        self.browsers[3].visits(callback, site="cross-site")
        self.write_down()
        third.visits(callback + "&state=twice", site="cross-site")
        self.write_down()

    def breaks_down(self) -> None:
        """Our own fault, in the middle of a callback: tracebacks are logged."""
        fourth = self.browsers[3]
        at_host = fourth.opens_login().types(BOB)
        self.write_down()
        self.service.breaks("sessions")
        at_host.approves()
        self.write_down()
        fourth.visits("/auth/session")
        self.service.rows("DROP TRIGGER broken")

    def found_in(self, text: bytes) -> list[str]:
        return [
            f"{secret[:12]}... as {spelling[:16]!r}"
            for secret in self.secrets
            for spelling in spellings(secret)
            if spelling in text
        ]


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    """The application with the key whose private half is looked for."""
    return open_service(token_algorithm="RS256")


@pytest.fixture
def run(service: Service, prepared: Prepared) -> Run:
    return Run(service, prepared)


def dump(service: Service) -> bytes:
    """Everything that SQLite keeps on the disk, its log included."""
    path = Path(service.settings.database_url.removeprefix("sqlite:///"))
    return b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*"))


def test_the_run_shows_its_secrets(run: Run) -> None:
    """So that finding none below means something."""
    run.signs_up_and_on()

    kinds = {secret[:4] for secret in run.secrets}
    assert {"atk-", "ref-", "cod-"} <= kinds
    assert len(run.secrets) > 40


def test_a_database_holds_no_secret_at_any_moment(run: Run, service: Service) -> None:
    """While a login waits, when it has succeeded, when it has failed, afterwards."""
    waiting = run.browsers[0].opens_login().types(ALICE)
    run.write_down()
    assert run.found_in(dump(service)) == []
    waiting.denies()

    run.signs_up_and_on()
    assert run.found_in(dump(service)) == []

    run.fails_in_many_ways()
    assert run.found_in(dump(service)) == []

    run.browsers[0].signs_out()
    run.write_down()
    assert run.found_in(dump(service)) == []


def test_the_verifier_of_a_waiting_login_is_not_in_the_database(
    run: Run, service: Service
) -> None:
    """It shows itself only at the exchange: dumped before, looked for afterwards."""
    waiting = run.browsers[0].opens_login().types(ALICE)
    before = dump(service)
    waiting.approves()
    run.write_down()

    assert run.found_in(before) == []


def test_no_private_key_is_in_the_database(run: Run, service: Service) -> None:
    """DPoP keys never show themselves anywhere, so their form is looked for."""
    run.browsers[0].opens_login().types(ALICE)
    run.signs_up_and_on()

    kept = dump(service)
    assert b"oauth_sessions" in kept
    assert not re.search(rb'"d"\s*:|PRIVATE KEY', kept)


def test_what_is_deleted_is_gone(run: Run, service: Service) -> None:
    """No grant is left in the tables after everybody has signed out."""
    run.signs_up_and_on()
    for browser in run.browsers:
        browser.signs_out()

    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(0,)]


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_log_of_a_full_run_holds_no_secret(
    open_service: Callable[..., Service],
    prepared: Prepared,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    style: str,
) -> None:
    """At the most talkative level, tracebacks of our own faults included."""
    service = open_service(log_level="debug", log_format=style, token_algorithm="RS256")
    caplog.set_level(logging.DEBUG)
    run = Run(service, prepared)

    run.signs_up_and_on()
    run.fails_in_many_ways()
    run.breaks_down()
    for browser in run.browsers:
        browser.signs_out()
    run.write_down()

    logged = caplog.text + "".join(capfd.readouterr())
    assert "login finished" in logged
    assert "internal" in logged
    assert run.found_in(logged.encode()) == []
    assert "request_uri" not in logged
    assert "/auth/callback?" not in logged


def test_no_page_shows_a_token_of_the_host(run: Run, service: Service) -> None:
    """Requirement 7.22: not on a page, not in JSON, not in a cookie."""
    run.signs_up_and_on()
    browser = run.browsers[0]
    paths = ["/auth/account", "/auth/session", "/auth/login?prompt=login"]
    shown = "".join(browser.visits(path).html for path in paths)
    shown += "".join(cookie.value for cookie in browser.jar)

    assert not any(secret in shown for secret in at_hosts(run.world))


def test_the_cookie_that_remembers_accounts_holds_no_secret(run: Run) -> None:
    """Display text alone: DID, handle, host."""
    run.signs_up_and_on()

    cookie = run.browsers[0].jar.get("__Host-latchkey-accounts")
    assert cookie is not None
    kept = json.loads(base64.urlsafe_b64decode(cookie.value))
    assert [set(entry) for entry in kept] == [{"did", "handle", "host"}]


def test_unexpected_exception_shows_no_details(
    service: Service, browser: Browser
) -> None:
    """A reference, and nothing of what broke."""
    at_host = browser.opens_login().types(ALICE)
    service.breaks("sessions")

    page = at_host.approves()

    assert isinstance(page, Page)
    assert (page.status, page.error) == (500, "internal")
    for word in (
        "of sessions",
        "sqlite",
        "Traceback",
        "SELECT",
        HOME + "/auth/callback?",
    ):
        assert word not in page.html
