"""POST /oauth/consent: own form, own session, one request, one answer (P11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.fakes.page import Page
from tests.fakes.relying_party import APP, RelyingParty, allows
from tests.signed import signs_in

if TYPE_CHECKING:
    from app.flows.provider.authorization.waiting import (
        WaitingRequest,
        WaitingRequests,
    )
    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service

CONSENT = "/oauth/consent"
ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
GRANTS = "SELECT did FROM provider_grants"


@pytest.fixture
def form(app: RelyingParty, alice: Browser) -> dict[str, str]:
    """What the page sends when Alice presses Allow."""
    page = app.sends(alice)
    return {**page.form_that_says(decision="allow").fields, "decision": "allow"}


def posts(browser: Browser, fields: dict[str, str], **how: Any) -> Page:
    page = browser.posts(CONSENT, fields, **how)
    assert isinstance(page, Page)
    return page


@pytest.mark.parametrize("decision", ["allow", "deny"])
@pytest.mark.parametrize(
    "how",
    [
        {"origin": APP, "site": "cross-site"},
        {"origin": "null", "site": "cross-site"},
        {"origin": "https://music.platform.cafe", "site": "same-site"},
        {"origin": "null", "site": "same-site"},
    ],
)
def test_form_of_another_site_decides_nothing(
    alice: Browser, service: Service, form: dict[str, str], how: Any, decision: str
) -> None:
    page = posts(alice, {**form, "decision": decision}, **how)

    assert (page.status, page.error) == (403, "cross_site")
    assert service.rows(GRANTS) == []
    assert "code=" in posts(alice, form, origin="null").url


def test_page_cannot_be_framed_and_runs_no_script_of_others(
    app: RelyingParty, alice: Browser
) -> None:
    page = app.sends(alice)

    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.policy["frame-ancestors"] == ["'none'"]
    assert page.policy["script-src"] == ["'self'"]
    assert page.lets_forms_lead_to(APP)


def test_request_of_another_browser_is_not_answered_without_its_own_question(
    app: RelyingParty, form: dict[str, str], service: Service
) -> None:
    """Mallory sends the request and the mark of the question that Alice was asked."""
    mallory = service.browser()
    signs_in(service, mallory, BOB, username="mallory")
    [(alice_did,)] = service.rows("SELECT did FROM users WHERE username = 'alice'")

    page = posts(mallory, form)

    assert page.url.startswith(f"{service.home}{CONSENT}?request=")
    assert "mallory" in page.text
    assert service.rows(GRANTS) == []
    assert app.code(allows(page))
    assert service.rows(GRANTS) != [(alice_did,)]


def test_question_is_asked_again_when_the_account_has_changed_meanwhile(
    alice: Browser, service: Service, form: dict[str, str], world: World
) -> None:
    alice.signs_in(BOB, username="bob", prompt="select_account")

    page = posts(alice, form)

    assert "bob" in page.text
    assert service.rows(GRANTS) == []
    assert "code=" in allows(page).url
    assert service.rows(GRANTS) == [(world.bob.did,)]


def test_person_who_has_signed_out_meanwhile_signs_in_first(
    alice: Browser, service: Service, form: dict[str, str]
) -> None:
    alice.signs_out()

    page = posts(alice, form)

    assert page.url.startswith(f"{service.home}/auth/login?")
    assert service.rows(GRANTS) == []


def test_request_is_answered_once(
    alice: Browser, service: Service, form: dict[str, str]
) -> None:
    """A person who says no after all gets no code."""
    assert "code=" in posts(alice, form).url

    page = posts(alice, {**form, "decision": "deny"})

    assert (page.status, page.error) == (400, "request_expired")
    assert len(service.rows(GRANTS)) == 1


@pytest.mark.parametrize("second", ["deny", "allow"])
def test_press_after_deny_leads_back_to_the_app_as_the_first_did(
    app: RelyingParty,
    alice: Browser,
    service: Service,
    form: dict[str, str],
    world: World,
    second: str,
) -> None:
    first = posts(alice, {**form, "decision": "deny"})
    assert app.error(first) == "access_denied"
    world.clock.advance(119)

    assert posts(alice, {**form, "decision": second}).url == first.url
    assert service.rows(GRANTS) == []
    stranger = service.browser()
    assert posts(stranger, {**form, "decision": second}).error == "request_expired"
    world.clock.advance(1)
    assert posts(alice, {**form, "decision": second}).error == "request_expired"


def test_second_press_gets_the_same_answer(
    app: RelyingParty, alice: Browser, service: Service, form: dict[str, str]
) -> None:
    first, second = posts(alice, form), posts(alice, form)

    assert second.url == first.url
    assert alice.visits(f"{CONSENT}?{urlencode({'request': form['request']})}").url == (
        first.url
    )
    assert len(service.rows(GRANTS)) == 1
    assert len(service.rows("SELECT * FROM provider_codes")) == 1
    assert app.tokens(app.code(second))


def test_second_press_gets_no_code_that_was_used(
    app: RelyingParty, alice: Browser, service: Service, form: dict[str, str]
) -> None:
    app.tokens(app.code(posts(alice, form)))

    assert posts(alice, form).error == "request_expired"
    assert len(service.rows(GRANTS)) == 1


def test_second_press_after_a_minute_gets_no_code(
    alice: Browser, form: dict[str, str], world: World
) -> None:
    posts(alice, form)
    world.clock.advance(60)

    assert posts(alice, form).error == "request_expired"


def test_answer_is_given_to_no_other_session(
    alice: Browser, service: Service, form: dict[str, str]
) -> None:
    mallory = service.browser()
    signs_in(service, mallory, BOB, username="mallory")
    assert "code=" in posts(alice, form).url

    assert posts(mallory, form).error == "request_expired"
    assert posts(service.browser(), form).error == "request_expired"
    alice.signs_in(ALICE, prompt="select_account")
    assert posts(alice, form).error == "request_expired"


@pytest.mark.parametrize("fields", [{}, {"decision": ""}, {"decision": "yes"}])
def test_decision_is_one_of_two_words(
    alice: Browser, service: Service, form: dict[str, str], fields: dict[str, str]
) -> None:
    page = posts(alice, {"request": form["request"], "mark": form["mark"], **fields})

    assert (page.status, page.error) == (400, "invalid_request")
    assert service.rows(GRANTS) == []


@pytest.mark.parametrize("request_secret", ["", "x", "ä" * 43])
def test_unknown_request_has_ended(alice: Browser, request_secret: str) -> None:
    url = f"{CONSENT}?{urlencode({'request': request_secret})}"

    assert alice.visits(url).error == "request_expired"
    assert posts(alice, {"request": request_secret, "decision": "allow"}).status == 400


def test_request_waits_ten_minutes(
    app: RelyingParty, alice: Browser, world: World
) -> None:
    pages = [app.sends(alice), app.sends(alice)]

    world.clock.advance(599)
    assert "code=" in allows(pages[0]).url
    world.clock.advance(1)
    late = allows(pages[1])

    assert isinstance(late, Page)
    assert late.error == "request_expired"


def test_pushed_request_is_no_held_one(app: RelyingParty, alice: Browser) -> None:
    secret = app.pushes().rpartition(":")[2]

    page = alice.visits(f"{CONSENT}?{urlencode({'request': secret})}")

    assert page.error == "request_expired"


def test_database_holds_no_request_in_clear(
    alice: Browser, service: Service, form: dict[str, str]
) -> None:
    stored = repr(service.rows("SELECT request_hash FROM provider_requests"))

    assert form["request"] not in stored


@dataclass
class Late:
    """Waiting requests of a form that read its request before another one took it."""

    waiting: WaitingRequests
    held_before: WaitingRequest | None

    def held(self, _secret: str, *, now: float) -> WaitingRequest | None:
        assert now
        return self.held_before

    def __getattr__(self, name: str) -> Any:
        return getattr(self.waiting, name)


@pytest.mark.parametrize("changes", [{}, {"prompt": "consent"}])
def test_two_forms_at_the_same_moment_get_one_answer(
    app: RelyingParty, alice: Browser, service: Service, changes: dict[str, str]
) -> None:
    page = app.sends(alice, **changes)
    form = page.form_that_says(decision="allow").fields
    consent = service.app.extensions["latchkey"].flows.provider.consent
    authorize = consent.authorize
    waiting = authorize.keep.waiting
    late = Late(waiting, waiting.held(form["request"], now=service.world.clock()))
    first, cookie = allows(page), alice.jar.get("__Host-latchkey-session")
    assert cookie is not None
    second = replace(
        consent,
        authorize=replace(authorize, keep=replace(authorize.keep, waiting=late)),
    )

    answer = second.allow(form["request"], mark=form["mark"], cookie=cookie.value)

    assert isinstance(first, Page)
    assert answer.url == first.url
    assert len(service.rows(GRANTS)) == 1
