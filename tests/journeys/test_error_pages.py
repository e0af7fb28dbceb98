"""Every code of the contract, provoked for real: as a page, as JSON, and in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.failures.texts import REFERRED
from tests.fakes import faults
from tests.fakes.browser import AtHost, Browser
from tests.fakes.page import Page
from tests.fakes.refusal import Refusal
from tests.fakes.world import World, plc_did
from tests.service import Service
from tests.signed import signs_in
from tests.test_errors_table import CONTRACT

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
PAR = f"{ENTRYWAY}/oauth/par"
RESOURCE = "https://pds.skyhost.social/.well-known/oauth-protected-resource"


@dataclass
class Scene:
    """A person at a browser that asks for pages, or for JSON."""

    service: Service
    browser: Browser
    accept: str

    @property
    def world(self) -> World:
        return self.service.world

    def visits(self, url: str, *, site: str = "none") -> Page:
        return self.browser.visits(url, site=site, accept=self.accept)

    def posts(self, path: str, **fields: str) -> Page:
        page = self.browser.posts(path, fields, accept=self.accept)
        assert isinstance(page, Page), page.url
        return page

    def signs_in_as(self, typed: str) -> Page:
        """Type an identifier that does not get far."""
        return self.posts("/auth/login", identifier=typed)

    def begins(self, typed: str = ALICE) -> AtHost:
        return self.browser.opens_login().types(typed)

    def comes_back(self, at_host: AtHost, account: str | None = None) -> Page:
        return self.visits(at_host.answer(account), site="cross-site")


def nobodys_handle(scene: Scene) -> Page:
    scene.world.home("unknown.paints.ink")
    return scene.signs_in_as("unknown.paints.ink")


def a_name_without_address(scene: Scene) -> Page:
    return scene.signs_in_as("no-such-name.paints.ink")


def a_did_unknown_to_its_directory(scene: Scene) -> Page:
    return scene.signs_in_as(plc_did("unknown"))


def did_of_another_account(scene: Scene) -> Page:
    scene.world.home("mallory.paints.ink").did = scene.world.alice.did
    return scene.signs_in_as("mallory.paints.ink")


def a_host_that_is_down(scene: Scene) -> Page:
    scene.world.network.unplug("pds.skyhost.social")
    return scene.signs_in_as(ALICE)


def a_handle_host_that_is_down(scene: Scene) -> Page:
    scene.world.network.unplug(ALICE)
    return scene.signs_in_as(ALICE)


def a_directory_that_is_down(scene: Scene) -> Page:
    scene.world.network.unplug("plc.directory")
    return scene.signs_in_as(ALICE)


def a_name_server_that_fails(scene: Scene) -> Page:
    scene.world.dns.fails(f"_atproto.{ALICE}", "SERVFAIL", "SERVFAIL", "SERVFAIL")
    scene.world.home(ALICE).did = None
    return scene.signs_in_as(ALICE)


def a_host_in_trouble(scene: Scene) -> Page:
    scene.world.network.lay(PAR, faults.bad_gateway())
    return scene.signs_in_as(ALICE)


def a_directory_in_trouble(scene: Scene) -> Page:
    url = f"https://plc.directory/{scene.world.alice.did}"
    scene.world.network.lay(url, faults.Says(503, b"<p>later"))
    return scene.signs_in_as(ALICE)


def a_host_that_asks_for_patience(scene: Scene) -> Page:
    scene.world.network.lay(PAR, faults.too_many())
    return scene.signs_in_as(ALICE)


def a_host_left_alone(scene: Scene) -> Page:
    scene.world.network.unplug("pds.skyhost.social")
    for _ in range(3):
        scene.signs_in_as(ALICE)
    return scene.signs_in_as(ALICE)


def a_server_with_trouble_after_consent(scene: Scene) -> Page:
    at_host = scene.begins()
    url = at_host.page.sends_back("server_error", "later").url
    return scene.visits(url, site="cross-site")


def a_host_without_oauth(scene: Scene) -> Page:
    scene.world.network.lay(RESOURCE, faults.missing())
    return scene.signs_in_as(ALICE)


def a_broken_document(scene: Scene) -> Page:
    scene.world.skyhost.server.lies.metadata["scopes_supported"] = []
    return scene.signs_in_as(ALICE)


def a_private_address(scene: Scene) -> Page:
    scene.world.skyhost.pds.document["authorization_servers"] = ["https://10.0.0.5"]
    return scene.signs_in_as(ALICE)


def a_huge_document(scene: Scene) -> Page:
    scene.world.network.lay(RESOURCE, faults.Swells(10_000_000))
    return scene.signs_in_as(ALICE)


def a_server_that_refuses_us(scene: Scene) -> Page:
    refusal = Refusal("invalid_client_metadata", "cannot fetch it")
    scene.world.skyhost.server.lies.refuses["/oauth/par"] = refusal
    return scene.signs_in_as(ALICE)


def an_unknown_error_after_consent(scene: Scene) -> Page:
    at_host = scene.begins()
    url = at_host.page.sends_back("odd_error", "<script>alert(1)</script>").url
    return scene.visits(url, site="cross-site")


def a_token_that_is_not_bound(scene: Scene) -> Page:
    at_host = scene.begins()
    fault = faults.ChangesJSON({"token_type": "Bearer"})
    scene.world.network.lay(f"{ENTRYWAY}/oauth/token", fault)
    return scene.comes_back(at_host)


def a_denial(scene: Scene) -> Page:
    return scene.visits(scene.begins().page.denies().url, site="cross-site")


def an_unknown_state(scene: Scene) -> Page:
    return scene.visits("/auth/callback?state=guess&iss=x&code=y", site="cross-site")


def no_state_at_all(scene: Scene) -> Page:
    return scene.visits("/auth/callback", site="cross-site")


def a_code_that_is_refused(scene: Scene) -> Page:
    at_host = scene.begins()
    refusal = Refusal("invalid_grant", "Code expired")
    scene.world.skyhost.server.lies.refuses["/oauth/token"] = refusal
    return scene.comes_back(at_host)


def another_browser(scene: Scene) -> Page:
    callback = scene.begins().answer()
    scene.browser = scene.service.browser()
    return scene.visits(callback, site="cross-site")


def a_host_whose_cookies_were_lost(scene: Scene) -> Page:
    """Requirement 9.21: the reference server says so in the description, and
    nowhere else.
    """
    at_host = scene.begins()
    back = at_host.page.sends_back("invalid_request", "ERR_COOKIES_UNSUPPORTED")
    return scene.visits(back.url, site="cross-site")


def another_issuer(scene: Scene) -> Page:
    scene.world.skyhost.server.lies.callback_iss = "https://as.evil.social"
    return scene.comes_back(scene.begins())


def a_rogue_server(scene: Scene) -> Page:
    rogue = scene.world.add_host("rogue.social")
    scene.world.settle("mallory.rogue.social", rogue)
    rogue.server.lies.subject = scene.world.alice.did
    return scene.comes_back(
        scene.begins("https://rogue.social"), "mallory.rogue.social"
    )


def another_account(scene: Scene) -> Page:
    return scene.comes_back(scene.begins(), BOB)


def a_strangers_form(scene: Scene) -> Page:
    page = scene.browser.posts(
        "/auth/login",
        {"identifier": ALICE},
        origin="https://evil.cafe",
        site="cross-site",
        accept=scene.accept,
    )
    assert isinstance(page, Page)
    return page


def a_strange_target(scene: Scene) -> Page:
    return scene.visits("/auth/login?return_to=https://evil.cafe")


def a_name(name: str) -> Callable[[Scene], Page]:
    def pick(scene: Scene) -> Page:
        scene.service.browser().signs_in(BOB, username="bobby")
        scene.browser.opens_login().types(ALICE).approves()
        return scene.posts("/auth/signup", username=name)

    pick.__name__ = f"the_name_{name}"
    return pick


def session_without_token(scene: Scene) -> Page:
    return scene.visits("/auth/session")


def a_disabled_account(scene: Scene) -> Page:
    scene.browser.signs_in(ALICE, username="alice")
    scene.service.rows("UPDATE users SET disabled_at = 1")
    return scene.visits("/auth/account")


def an_invitation_that_has_ended(scene: Scene) -> Page:
    return scene.visits("/auth/invitation?code=unknown")


def too_many_starts(scene: Scene) -> Page:
    for _ in range(1_000):
        scene.service.app.extensions["latchkey"].flows.start_login.limits.hit(
            "address", "198.51.100.7"
        )
    return scene.signs_in_as(ALICE)


def a_repeated_parameter(scene: Scene) -> Page:
    return scene.visits(scene.begins().answer() + "&state=again", site="cross-site")


def a_permission_that_is_not_for_services(scene: Scene) -> Page:
    return scene.visits("/auth/login?scope=identity:*&return_to=/auth/account")


def an_unknown_prompt(scene: Scene) -> Page:
    return scene.posts("/auth/login", identifier=ALICE, prompt="none")


def nothing_there(scene: Scene) -> Page:
    return scene.visits("/auth/nowhere")


def a_method_not_offered(scene: Scene) -> Page:
    return scene.posts("/auth/result")


def a_huge_form(scene: Scene) -> Page:
    return scene.posts("/auth/login", identifier="x" * 100_000)


def a_database_that_fails(scene: Scene) -> Page:
    scene.service.breaks("oauth_auth_requests")
    return scene.signs_in_as(ALICE)


def a_typed_nonsense(scene: Scene) -> Page:
    return scene.signs_in_as("two words")


def an_unsupported_did(scene: Scene) -> Page:
    return scene.signs_in_as("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")


CASES: list[tuple[str, int, Callable[[Scene], Page]]] = [
    ("invalid_identifier", 400, a_typed_nonsense),
    ("invalid_identifier", 400, an_unsupported_did),
    ("handle_not_found", 400, nobodys_handle),
    ("handle_not_found", 400, a_name_without_address),
    ("account_not_found", 400, a_did_unknown_to_its_directory),
    ("handle_mismatch", 400, did_of_another_account),
    ("host_unreachable", 504, a_host_that_is_down),
    ("host_unreachable", 504, a_handle_host_that_is_down),
    ("host_unreachable", 504, a_directory_that_is_down),
    ("host_unreachable", 504, a_name_server_that_fails),
    ("host_unreachable", 504, a_host_left_alone),
    ("host_unreachable", 502, a_host_in_trouble),
    ("host_unreachable", 502, a_directory_in_trouble),
    ("host_unreachable", 502, a_host_that_asks_for_patience),
    ("host_unreachable", 502, a_server_with_trouble_after_consent),
    ("host_without_oauth", 400, a_host_without_oauth),
    ("server_invalid", 502, a_broken_document),
    ("server_invalid", 502, a_private_address),
    ("server_invalid", 502, a_huge_document),
    ("server_invalid", 502, a_server_that_refuses_us),
    ("server_invalid", 502, an_unknown_error_after_consent),
    ("server_invalid", 502, a_token_that_is_not_bound),
    ("access_denied", 400, a_denial),
    ("login_expired", 400, an_unknown_state),
    ("login_expired", 400, no_state_at_all),
    ("login_expired", 400, a_code_that_is_refused),
    ("wrong_browser", 403, another_browser),
    ("wrong_browser", 403, a_host_whose_cookies_were_lost),
    ("issuer_mismatch", 403, another_issuer),
    ("issuer_mismatch", 403, a_rogue_server),
    ("account_mismatch", 403, another_account),
    ("cross_site", 403, a_strangers_form),
    ("invalid_return_to", 400, a_strange_target),
    ("invalid_scope", 400, a_permission_that_is_not_for_services),
    ("username_taken", 400, a_name("b0bby")),
    ("username_invalid", 400, a_name("-x-")),
    ("username_reserved", 400, a_name("admin")),
    ("account_disabled", 403, a_disabled_account),
    ("not_a_member", 403, an_invitation_that_has_ended),
    ("too_many_requests", 429, too_many_starts),
    ("invalid_request", 400, a_repeated_parameter),
    ("invalid_request", 400, an_unknown_prompt),
    ("not_found", 404, nothing_there),
    ("method_not_allowed", 405, a_method_not_offered),
    ("too_large", 413, a_huge_form),
    ("internal", 500, a_database_that_fails),
]


CALLS = {"reconnect", "permission_missing", "account_unavailable", "call_not_allowed"}
"""What happens to programs only: `test_xrpc.py`."""


def names(case: Any) -> str:
    return getattr(case, "__name__", str(case))


@pytest.mark.parametrize(("code", "status", "happens"), CASES, ids=names)
def test_failure_is_a_page_with_a_reference_where_it_helps(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    code: str,
    status: int,
    happens: Callable[[Scene], Page],
) -> None:
    """The log has the reference of every failure."""
    page = happens(Scene(service, service.browser(), "text/html"))

    assert (page.status, page.error) == (status, code)
    assert page.headers["Content-Type"].startswith("text/html")
    lines = [r.getMessage() for r in caplog.records if f"{code} (" in r.getMessage()]
    reference = lines[-1].split(f"{code} (")[1].split(")")[0]
    assert len(reference) >= 8
    assert (reference in page.text) == (code in REFERRED)
    assert "<script>alert" not in page.html
    assert "Traceback" not in page.html


@pytest.mark.parametrize(("code", "status", "happens"), CASES, ids=names)
def test_failure_with_accept_json_is_json(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    code: str,
    status: int,
    happens: Callable[[Scene], Page],
) -> None:
    page = happens(Scene(service, service.browser(), "application/json"))

    assert page.status == status
    assert page.headers["Content-Type"] == "application/json"
    assert set(page.json) == {"error", "error_description", "reference"}
    assert page.json["error"] == code
    assert page.json["error_description"]
    assert f"{code} ({page.json['reference']})" in caplog.text


def test_every_code_is_provoked_above() -> None:
    told = CALLS | {"not_signed_in", "wrong_verifier"}  # to programs alone
    told |= {"invalid_grant", "cursor_expired"}  # `test_native_refresh.py`, of events
    told |= {"not_allowed_here"}  # `test_forward_auth_rules.py`
    told |= {"unknown_client", "invalid_redirect_uri"}  # `provider`: authorize
    told |= {"request_expired"}  # `provider/test_consent.py`
    told |= {"service_unavailable"}  # when this process is busy: `test_xrpc.py`
    provoked = {code for code, _, _ in CASES} | told

    assert provoked == set(CONTRACT)


def test_session_without_token_returns_401_with_challenge(service: Service) -> None:
    answer = service.get("/auth/session")

    assert answer.status == 401
    assert answer.json()["error"] == "not_signed_in"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_refused_method_says_which_are_taken(service: Service) -> None:
    """RFC 9110 §15.5.6."""
    answer = service.browser().requests("DELETE", f"{service.home}/auth/login")

    assert answer.status == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_host_with_open_circuit_returns_retry_after(
    service: Service, browser: Browser, world: World
) -> None:
    """The breaker: three in a row, half a minute, and one may ask again."""
    world.network.unplug("pds.skyhost.social")
    pages = [browser.opens_login().tries(ALICE) for _ in range(4)]
    assert isinstance(pages[3], Page)
    assert 0 < int(pages[3].headers["Retry-After"]) <= 30
    asked = len(world.network.sent(host="pds.skyhost.social"))
    assert asked == 3

    world.network.serve("pds.skyhost.social", world.skyhost.pds)
    world.clock.advance(31)
    assert isinstance(browser.opens_login().tries(ALICE), AtHost)


@pytest.mark.parametrize("known", [True, False])
def test_refusal_of_our_client_is_an_alert_where_people_have_signed_in(
    open_service: Callable[..., Service],
    caplog: pytest.LogCaptureFixture,
    *,
    known: bool,
) -> None:
    """Requirement 10.3: our metadata may be at fault; but strangers ring no pager."""
    service = open_service(signup_hosts=())
    if known:
        signs_in(service, service.browser(), BOB, username="bob")
    a_server_that_refuses_us(Scene(service, service.browser(), "text/html"))

    alerts = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert bool(alerts) is known
    assert "refused this client" in caplog.text


def test_error_description_of_a_host_is_not_shown(
    service: Service, browser: Browser
) -> None:
    """Requirements 6.4 and 9.11: our own text for every description."""
    at_host = browser.opens_login().types(ALICE)

    page = at_host.meets("odd_error", "<b>call this number</b> https://evil.cafe")

    assert "call this number" not in page.html
    assert "evil.cafe" not in page.html


def test_directory_that_does_not_answer_is_not_named_by_its_host(
    service: Service, world: World
) -> None:
    world.network.unplug("plc.directory")

    page = service.browser().opens_login().tries(world.alice.did)

    assert isinstance(page, Page)
    assert "The account directory isn't responding" in page.text
    assert "plc.directory" not in page.text
