"""prompt, max_age and hints of a request (OpenID Connect Core section 3.1.2.1; P12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.fakes import faults
from tests.fakes.browser import query_of
from tests.fakes.faults import REMOVED
from tests.fakes.page import Page
from tests.fakes.relying_party import RelyingParty, allows
from tests.journeys.people.commands import runs

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
SESSIONS = "SELECT created_at FROM sessions WHERE ended_at IS NULL"
AUTH_TIMES = "SELECT auth_time FROM provider_codes ORDER BY expires_at, auth_time"


@pytest.fixture
def allowed(app: RelyingParty, alice: Browser) -> RelyingParty:
    """The app, which Alice has allowed."""
    app.code(allows(app.sends(alice)))
    return app


def is_sign_in(page: Page) -> bool:
    return page.url.startswith(f"{page.browser.home}/auth/login?")


# --- none: never a page ---------------------------------------------------------------


def test_prompt_none_answers_at_once_where_all_is_given(
    allowed: RelyingParty, alice: Browser
) -> None:
    assert allowed.code(allowed.sends(alice, prompt="none"))


def test_prompt_none_without_a_session_is_login_required(
    allowed: RelyingParty, service: Service
) -> None:
    page = allowed.sends(service.browser(), prompt="none")

    assert allowed.error(page) == "login_required"


def test_prompt_none_without_consent_is_consent_required(
    app: RelyingParty, alice: Browser
) -> None:
    assert app.error(app.sends(alice, prompt="none")) == "consent_required"


def test_prompt_none_in_the_sign_up_is_interaction_required(service: Service) -> None:
    app, browser = RelyingParty.registered(service), service.browser()
    browser.opens_login().types(ALICE).approves()

    assert app.error(app.sends(browser, prompt="none")) == "interaction_required"


def test_prompt_none_for_an_account_that_is_kept_out_is_access_denied(
    alice: Browser, service: Service
) -> None:
    app = RelyingParty.registered(service, allow="did:plc:ewvi7nxzyoun6zhxrhs64oiz")

    assert app.error(app.sends(alice, prompt="none")) == "access_denied"


def test_prompt_none_for_a_disabled_account_is_access_denied(
    allowed: RelyingParty, alice: Browser, service: Service
) -> None:
    service.rows("UPDATE users SET disabled_at = 1")

    assert allowed.error(allowed.sends(alice, prompt="none")) == "access_denied"


def test_prompt_none_with_an_old_proof_is_login_required(
    allowed: RelyingParty, alice: Browser, world: World
) -> None:
    world.clock.advance(61)

    page = allowed.sends(alice, prompt="none", max_age="60")

    assert allowed.error(page) == "login_required"


# --- login and max_age: a new proof, one round ----------------------------------------


@pytest.mark.parametrize(
    "changes", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}]
)
def test_new_proof_is_asked_once_and_is_the_auth_time(
    allowed: RelyingParty, alice: Browser, service: Service, world: World, changes: Any
) -> None:
    world.clock.advance(61)

    page = allowed.sends(alice, **changes)
    assert is_sign_in(page)
    world.clock.advance(5)
    done = page.types(ALICE).approves()

    assert allowed.code(done)
    [(created_at,)] = service.rows(SESSIONS)
    assert created_at == int(world.clock())
    assert service.rows(AUTH_TIMES)[-1] == (created_at,)


def test_prompt_login_reaches_the_host(allowed: RelyingParty, alice: Browser) -> None:
    host = allowed.sends(alice, prompt="login").types(ALICE)

    assert host.page.request.form["prompt"] == "login"


def test_prompt_login_that_the_host_refuses_is_not_left_out(
    allowed: RelyingParty, alice: Browser
) -> None:
    """P12: without the prompt the host may answer by a session of its own."""
    host = allowed.sends(alice, prompt="login").types(ALICE)

    page = alice.visits(host.page.sends_back("login_required").url, site="cross-site")

    assert (page.status, page.error) == (502, "server_invalid")


def test_prompt_login_that_is_denied_is_asked_again(
    allowed: RelyingParty, service: Service
) -> None:
    page = allowed.sends(service.browser(), prompt="login").types(ALICE).denies()

    again = page.types(ALICE)
    assert again.page.request.form["prompt"] == "login"


NEEDS_PROOF = [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}]
NEEDS_CHOICE = [{"prompt": "select_account"}, {"prompt": "create"}]


def without_prompt(page: Page) -> str:
    """Return the URL of a sign-in page with its prompt left out."""
    return sign_in_url(return_to=query_of(page.url)["return_to"])


def sign_in_url(**fields: str) -> str:
    return f"/auth/login?{urlencode(fields)}"


@pytest.mark.parametrize("changes", NEEDS_PROOF + NEEDS_CHOICE)
def test_sign_in_link_without_its_prompt_leads_to_the_sign_in_page_again(
    allowed: RelyingParty, alice: Browser, world: World, changes: Any
) -> None:
    world.clock.advance(61)
    page = allowed.sends(alice, **changes)

    again = alice.visits(without_prompt(page))

    assert again.url == page.url
    assert alice.visits(query_of(page.url)["return_to"]).url == page.url
    assert allowed.code(again.types(ALICE).approves())


@pytest.mark.parametrize("changes", NEEDS_PROOF)
def test_sign_in_that_left_the_prompt_out_is_no_proof(
    allowed: RelyingParty, service: Service, changes: Any
) -> None:
    """Without a session, the page without a prompt is the sign-in page as well."""
    browser = service.browser()
    page = allowed.sends(browser, **changes)
    host = browser.visits(without_prompt(page)).types(ALICE)
    assert "prompt" not in host.page.request.form

    again = host.approves()

    assert is_sign_in(again)
    host = again.types(ALICE)
    assert host.page.request.form["prompt"] == "login"
    assert allowed.code(host.approves())


@pytest.mark.parametrize("changes", NEEDS_PROOF + NEEDS_CHOICE)
def test_sign_in_in_another_tab_is_no_proof(
    allowed: RelyingParty, alice: Browser, world: World, changes: Any
) -> None:
    world.clock.advance(61)
    page = allowed.sends(alice, **changes)
    alice.visits(sign_in_url(prompt="login")).types(ALICE).approves()

    again = alice.visits(query_of(page.url)["return_to"])

    assert is_sign_in(again)
    assert allowed.code(again.types(ALICE).approves())


def test_proof_for_one_request_is_none_for_another(
    allowed: RelyingParty, alice: Browser
) -> None:
    first = allowed.sends(alice, prompt="login")
    second = allowed.sends(alice, prompt="login")
    assert allowed.code(second.types(ALICE).approves())

    again = alice.visits(query_of(first.url)["return_to"])

    assert is_sign_in(again)


@pytest.mark.parametrize("known", [["consent"], REMOVED])
def test_host_that_takes_no_prompt_login_proves_nothing(
    service: Service, world: World, known: object
) -> None:
    """Neither one that says so, nor one that says nothing and refuses it."""
    world.skyhost.server.lies.metadata["prompt_values_supported"] = known
    app = RelyingParty.registered(service)

    page = app.sends(service.browser(), prompt="login").tries(ALICE)

    assert isinstance(page, Page)
    assert (page.status, page.error) == (502, "server_invalid")
    assert app.error(page.presses(decision="deny")) == "access_denied"


def test_prompt_login_offers_no_way_on_without_the_host(
    allowed: RelyingParty, alice: Browser
) -> None:
    page = allowed.sends(alice, prompt="login")

    assert "signed in as alice" in page.text
    assert "Continue as alice" not in page.text


def test_max_age_that_a_proof_meets_asks_nothing(
    allowed: RelyingParty, alice: Browser, world: World
) -> None:
    world.clock.advance(60)

    assert allowed.code(allowed.sends(alice, max_age="60"))


def test_max_age_that_runs_out_at_the_question_asks_the_host(
    app: RelyingParty, alice: Browser, world: World
) -> None:
    page = app.sends(alice, max_age="60")
    world.clock.advance(61)

    again = allows(page)

    assert is_sign_in(again)
    assert app.code(allows(again.types(ALICE).approves()))


# --- consent, select_account, create --------------------------------------------------


def test_prompt_consent_asks_again(allowed: RelyingParty, alice: Browser) -> None:
    page = allowed.sends(alice, prompt="consent")

    assert allowed.code(allows(page))


def test_prompt_login_consent_asks_both(allowed: RelyingParty, alice: Browser) -> None:
    page = allowed.sends(alice, prompt="login consent")
    assert is_sign_in(page)

    assert allowed.code(allows(page.types(ALICE).approves()))


@pytest.mark.parametrize("prompt", ["select_account", "create"])
def test_prompt_shows_the_sign_in_page_once(
    allowed: RelyingParty, alice: Browser, prompt: str
) -> None:
    page = allowed.sends(alice, prompt=prompt)
    assert is_sign_in(page)
    [same] = [link for link in page.links if "mark" in link]

    assert allowed.code(alice.visits(same))


def test_choice_of_an_account_does_not_count_for_another(
    allowed: RelyingParty, alice: Browser
) -> None:
    page = allowed.sends(alice, prompt="select_account")
    [same] = [link for link in page.links if "mark" in link]
    alice.opens_login(prompt="select_account").types(BOB).approves().chooses("bobby")

    assert is_sign_in(alice.visits(same))


def test_prompt_select_account_takes_another_account(
    allowed: RelyingParty, alice: Browser
) -> None:
    page = allowed.sends(alice, prompt="select_account")

    consent = page.types(BOB).approves().chooses("bob")

    assert "bob" in consent.text
    assert allowed.code(allows(consent))


# --- hints ----------------------------------------------------------------------------


def test_login_hint_prefills_the_form(app: RelyingParty, service: Service) -> None:
    page = app.sends(service.browser(), login_hint=BOB)

    assert page.form_with("identifier").fields["identifier"] == BOB


@pytest.mark.parametrize("hint", ["x" * 4_000, "<script>", "not a handle"])
def test_odd_login_hint_breaks_nothing(
    app: RelyingParty, service: Service, hint: str
) -> None:
    page = app.sends(service.browser(), login_hint=hint)

    consent = page.types(ALICE).approves()
    assert app.code(allows(consent))


# --- policies that cannot be judged (P32) ---------------------------------------------


def test_policy_that_cannot_be_judged_is_temporarily_unavailable(
    alice: Browser, service: Service, world: World
) -> None:
    app = RelyingParty.registered(service, allow="*.skyhost.social")
    app.code(allows(app.sends(alice)))
    world.clock.advance(3_601)
    world.dns.records.clear()
    world.network.lay(
        f"https://{ALICE}/.well-known/atproto-did", faults.Refuses(), times=9
    )

    for prompt in ("", "none"):
        page = app.sends(alice, prompt=prompt)
        assert app.error(page) == "temporarily_unavailable"


def test_disabled_account_reads_so_on_our_page(
    allowed: RelyingParty, alice: Browser, service: Service
) -> None:
    runs(service, "users", "disable", "alice", "--yes")
    service.rows("UPDATE sessions SET ended_at = NULL")

    assert allowed.sends(alice).error == "account_disabled"
