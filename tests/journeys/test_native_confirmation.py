"""The browser's half of an app's sign-in: the link, the question, and who is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.fakes.app import App, confirms, follows
from tests.fakes.browser import Browser
from tests.fakes.cookies import Cookie
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ROSIE = "rosies.garden"
CONFIRM = f"{HOME}/auth/native/confirm"
SIGNUP = f"{HOME}/auth/signup"


@pytest.fixture
def alice(service: Service) -> Browser:
    """Alice, who has a username, in a browser where she is not signed in."""
    signs_in(service, service.browser(), ALICE, username="alice")
    return service.browser()


@pytest.fixture
def app(service: Service) -> App:
    return App(service)


def cookies(browser: Browser, kind: str) -> list[Cookie]:
    return [cookie for cookie in browser.jar if kind in cookie.name]


def asked(browser: Browser, app: App) -> Page:
    """Follow the app's link up to the question."""
    page = follows(browser, app).approves()
    assert page.url.startswith(CONFIRM), page.text
    return page


# --- the question ---------------------------------------------------------------------


def test_the_page_says_who_asks_for_whom_and_what_to_compare(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE, app_name="Sketch")

    page = asked(alice, app)

    [(did,)] = service.rows("SELECT did FROM users")
    for fact in ("Sketch", app.code, "alice", ALICE, did, "The Platform"):
        assert fact in page.text
    assert page.form_that_says(decision="allow").buttons == [
        ("decision", "allow"),
        ("decision", "deny"),
    ]


def test_app_name_is_rendered_as_text(app: App, alice: Browser) -> None:
    name = "<b>Sketch</b>\" onload='x'><script>steal()</script>"
    app.starts(ALICE, app_name=name)

    page = asked(alice, app)
    done = page.presses(decision="allow")

    assert isinstance(done, Page)
    for shown in (page, done):
        assert name in shown.text
        assert any(tag == "q" for tag, _ in shown.tags)  # a quotation
        assert not any(tag == "b" for tag, _ in shown.tags)
        assert [src for tag, src in shown.tags if tag == "script" and not src] == []


def test_a_forwarded_link_is_stopped_at_the_question(
    app: App, alice: Browser, service: Service
) -> None:
    """The attacker's app waits; the victim sees a code that her own apps do not."""
    app.starts(ALICE, app_name="Prize draw")

    page = asked(alice, app)

    assert app.status() == "pending"
    assert "If someone sent you a link, press Don't allow" in page.text
    page.presses(decision="deny")
    assert app.status() == "denied"
    [(ended,)] = service.rows("SELECT ended_at FROM sessions WHERE app_name NOT NULL")
    assert ended is not None


def test_unanswered_confirmation_delivers_no_token(
    app: App, alice: Browser, world: World
) -> None:
    app.starts(ALICE)
    asked(alice, app)

    world.clock.advance(1800)

    assert app.status() == "expired"


def test_a_decision_is_one_of_two_words(app: App, alice: Browser) -> None:
    app.starts(ALICE)
    page = asked(alice, app)
    form = page.form_that_says(decision="allow")

    for fields in ({}, {"decision": ""}, {"decision": "yes"}):
        refused = alice.posts(CONFIRM, {**form.fields, **fields})
        assert isinstance(refused, Page)
        assert (refused.status, refused.error) == (400, "invalid_request")

    assert app.status() == "pending"


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_pressing_twice_shows_the_first_answer_again(
    app: App, alice: Browser, decision: str
) -> None:
    app.starts(ALICE)
    page = asked(alice, app)
    held = cookies(alice, "native")

    first = page.presses(decision=decision)
    alice.jar.keep(held)  # the second press left before the first was answered
    other = {"allow": "deny", "deny": "allow"}[decision]
    second = page.presses(decision=other)

    assert isinstance(first, Page)
    assert isinstance(second, Page)
    assert first.text == second.text
    assert app.status() == {"allow": "completed", "deny": "denied"}[decision]


def test_another_site_cannot_press_the_button(app: App, alice: Browser) -> None:
    app.starts(ALICE)
    form = asked(alice, app).form_that_says(decision="allow")

    page = alice.posts(
        CONFIRM,
        {**form.fields, "decision": "allow"},
        origin="https://evil.cafe",
        site="cross-site",
    )

    assert isinstance(page, Page)
    assert (page.status, page.error) == (403, "cross_site")
    assert app.status() == "pending"


def test_another_browser_has_nothing_to_decide(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE)
    page = asked(alice, app)
    stranger = service.browser()

    seen = stranger.visits(page.url)
    form = page.form_that_says(decision="allow")
    pressed = stranger.posts(CONFIRM, {**form.fields, "decision": "allow"})

    assert isinstance(pressed, Page)
    for shown in (seen, pressed):
        assert (shown.status, shown.error) == (400, "login_expired")
    assert app.code not in seen.text
    assert app.status() == "pending"


def test_of_two_browsers_that_are_asked_one_decides(
    app: App, alice: Browser, service: Service
) -> None:
    """She followed the link twice; the second grant is no way in."""
    app.starts(ALICE)
    first, other = asked(alice, app), service.browser()
    second = asked(other, app)

    first.presses(decision="deny")

    for shown in (other.visits(second.url), second.presses(decision="allow")):
        assert isinstance(shown, Page)
        assert (shown.status, shown.error) == (400, "login_expired")
    assert app.status() == "denied"


def test_what_answers_for_one_app_does_not_answer_for_another(
    alice: Browser, service: Service
) -> None:
    sketch, notes = App(service).starts(ALICE), App(service).starts(ALICE)
    about_sketch = asked(alice, sketch)
    asked(alice, notes)
    [one, two] = cookies(alice, "native")
    secret = two.value.rpartition(".")[2]
    mixed = f"{one.value.rpartition('.')[0]}.{secret}"
    alice.jar.keep([replace(one, value=mixed)])

    page = about_sketch.presses(decision="allow")

    assert isinstance(page, Page)
    assert (page.status, page.error) == (400, "login_expired")
    assert sketch.status() == notes.status() == "pending"


def test_what_answers_for_an_app_is_no_session_of_the_browser(
    app: App, alice: Browser, service: Service
) -> None:
    newcomer = service.browser()
    for browser, handle in ((alice, ALICE), (newcomer, ROSIE)):
        follows(browser, app.starts(handle)).approves()
        [held] = cookies(browser, "native")
        secret = held.value.rpartition(".")[2]
        browser.jar.keep([replace(held, name="__Host-latchkey-session", value=secret)])

        for path in ("/auth/signup", "/auth/login", "/auth/account"):
            assert browser.visits(path).url.startswith(f"{HOME}/auth/login")
        assert not browser.is_signed_in()


# --- the browser that is asked --------------------------------------------------------


def test_a_native_login_signs_no_browser_in(app: App, alice: Browser) -> None:
    app.starts(ALICE)

    confirms(alice, app)

    assert not alice.is_signed_in()
    assert [cookie.name for cookie in alice.jar if "native" in cookie.name] == []
    assert alice.visits("/auth/account").url.startswith(f"{HOME}/auth/login")


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_native_login_keeps_the_browsers_own_session(
    app: App, service: Service, alice: Browser, decision: str
) -> None:
    """Another person, even: the app is for Alice, the browser is Rosie's."""
    browser = signs_in(service, service.browser(), ROSIE, username="rosie")
    before = {c.name: c.value for c in browser.jar}
    app.starts(ALICE)

    confirms(browser, app, decision)

    after = {c.name: c.value for c in browser.jar}
    after.pop("__Host-latchkey-outcome")  # what the last page shows
    assert after == before
    assert "rosie" in browser.visits("/auth/account").text
    assert service.rows(
        "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND app_name IS NULL"
    ) == [(2,)]


def test_the_cookie_of_the_question_is_ours_alone_and_short_lived(
    app: App, alice: Browser
) -> None:
    app.starts(ALICE)
    asked(alice, app)

    [cookie] = cookies(alice, "native")

    assert cookie.name.startswith("__Host-latchkey-native-")
    assert (cookie.secure, cookie.http_only, cookie.same_site) == (True, True, "Lax")
    assert cookie.expires_at - alice.world.clock() == 1800


def test_two_apps_in_one_browser_do_not_meet(alice: Browser, service: Service) -> None:
    sketch = App(service).starts(ALICE, app_name="Sketch")
    notes = App(service).starts(ALICE, app_name="Notes")
    about_sketch = asked(alice, sketch)
    about_notes = asked(alice, notes)

    assert sketch.code in about_sketch.text
    assert notes.code in alice.visits(about_notes.url).text
    about_sketch.presses(decision="allow")
    assert (sketch.status(), notes.status()) == ("completed", "pending")
    about_notes.presses(decision="deny")
    assert (sketch.status(), notes.status()) == ("completed", "denied")


# --- newcomers ------------------------------------------------------------------------


def test_a_newcomer_picks_a_username_and_then_answers(
    app: App, service: Service
) -> None:
    browser = service.browser()
    app.starts(ALICE, app_name="Sketch")
    page = follows(browser, app).approves()
    assert page.url.startswith(f"{SIGNUP}?login=")
    assert "Sketch" in page.text

    question = page.chooses("alice")

    assert question.url.startswith(CONFIRM)
    assert app.status() == "pending"
    question.presses(decision="allow")
    completed = app.asks().json()
    assert (completed["status"], completed["username"]) == ("completed", "alice")
    assert app.uses(completed["token"]).json()["username"] == "alice"
    assert not browser.is_signed_in()


def test_taken_username_keeps_the_pending_native_login(
    app: App, alice: Browser, service: Service
) -> None:
    browser = service.browser()
    app.starts(ROSIE)

    page = follows(browser, app).approves().chooses("alice")

    assert (page.status, page.error) == (400, "username_taken")
    assert page.chooses("rosie").presses(decision="allow").status == 200
    assert app.status() == "completed"


def test_a_newcomer_cannot_be_confirmed_before_the_username(
    app: App, service: Service
) -> None:
    browser = service.browser()
    app.starts(ALICE)
    page = follows(browser, app).approves()
    mark = page.form_with("username").fields["login"]

    pressed = browser.posts(CONFIRM, {"login": mark, "decision": "allow"})
    shown = browser.visits(f"{CONFIRM}?login={mark}")

    assert isinstance(pressed, Page)
    assert (pressed.status, pressed.error) == (400, "login_expired")
    assert shown.url.startswith(SIGNUP)
    assert app.status() == "pending"


def test_two_newcomers_in_one_browser_are_told_apart_by_the_page(
    app: App, service: Service
) -> None:
    """Rosie signs up here, and an app of Alice's waits in the same browser."""
    browser = service.browser()
    own = browser.opens_login().types(ROSIE).approves()
    app.starts(ALICE)
    for_the_app = follows(browser, app).approves()

    assert ROSIE in own.text
    assert ALICE in for_the_app.text
    assert ROSIE in browser.visits("/auth/signup").text
    own.chooses("rosie")
    for_the_app.chooses("alice").presses(decision="allow")

    assert app.asks().json()["username"] == "alice"
    assert "rosie" in browser.visits("/auth/account").text


def test_signup_in_another_tab_continues_to_confirmation(
    app: App, service: Service
) -> None:
    browser = service.browser()
    app.starts(ALICE)
    page = follows(browser, app).approves()
    signs_in(service, service.browser(), ALICE, username="alice")

    again = browser.visits(page.url)

    assert again.url.startswith(CONFIRM)


def test_signup_after_native_expiry_says_the_login_expired(
    app: App, service: Service, world: World
) -> None:
    browser = service.browser()
    app.starts(ALICE)
    page = follows(browser, app).approves()
    world.clock.advance(1800)

    late = page.chooses("alice")

    assert (late.status, late.error) == (400, "login_expired")
    assert service.rows("SELECT 1 FROM users") == []


# --- the link -------------------------------------------------------------------------


def test_a_link_that_is_loaded_ahead_binds_nothing(app: App, alice: Browser) -> None:
    app.starts(ALICE)

    ahead = alice.requests("GET", app.link, headers={"Sec-Purpose": "prefetch"})

    assert ahead.status == 503
    assert list(alice.jar) == []
    confirms(alice, app)
    assert app.status() == "completed"


def test_a_link_may_be_followed_again_while_the_login_is_open(
    app: App, alice: Browser, world: World
) -> None:
    app.starts(ALICE)
    follows(alice, app)
    world.clock.advance(1500)  # the pushed request is long gone

    confirms(alice, app)

    assert app.status() == "completed"


def test_native_link_followed_twice_is_finished_by_the_second_browser(
    app: App, alice: Browser, service: Service
) -> None:
    """A chat's preview, or a person who opens it in the wrong browser first."""
    app.starts(ALICE)
    follows(service.browser(), app)

    confirms(alice, app)

    assert app.status() == "completed"


def test_native_link_accepts_only_the_named_account(app: App, service: Service) -> None:
    signs_in(service, service.browser(), BOB, username="bob")
    app.starts(ALICE)

    page = follows(service.browser(), app).approves(BOB)

    assert (page.status, page.error) == (403, "account_mismatch")
    assert app.status() == "pending"
    assert service.rows("SELECT sid FROM sessions WHERE app_name NOT NULL") == []


def test_the_callback_belongs_to_the_browser_that_followed_the_link(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE)
    url = follows(alice, app).answer()

    page = service.browser().visits(url, site="cross-site")

    assert (page.status, page.error) == (403, "wrong_browser")
    assert app.status() == "pending"
    assert alice.visits(url, site="cross-site").url.startswith(CONFIRM)


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_a_link_leads_nowhere_once_there_is_an_answer(
    app: App, alice: Browser, decision: str
) -> None:
    app.starts(ALICE)
    confirms(alice, app, decision)

    page = alice.visits(app.link)

    assert (page.status, page.error) == (400, "login_expired")


@pytest.mark.parametrize("query", ["", "?login=", "?login=guessed"])
def test_unknown_native_link_returns_login_expired(alice: Browser, query: str) -> None:
    page = alice.visits(f"/auth/native/open{query}")

    assert (page.status, page.error) == (400, "login_expired")


def test_a_link_that_is_followed_too_late_says_so(
    app: App, alice: Browser, world: World
) -> None:
    app.starts(ALICE)
    world.clock.advance(1800)

    assert alice.visits(app.link).error == "login_expired"


def test_a_callback_that_comes_too_late_gives_its_grant_back(
    app: App, alice: Browser, world: World, service: Service
) -> None:
    app.starts(ALICE)
    world.clock.advance(1790)
    at_host = follows(alice, app)
    before = service.rows("SELECT count(*) FROM oauth_sessions")
    world.clock.advance(20)

    page = at_host.approves()

    assert (page.status, page.error) == (400, "login_expired")
    assert world.network.sent(path="/oauth/revoke")
    assert service.rows("SELECT count(*) FROM oauth_sessions") == before


def test_a_question_that_is_answered_too_late_says_so(
    app: App, alice: Browser, world: World
) -> None:
    app.starts(ALICE)
    page = asked(alice, app)
    held = cookies(alice, "native")
    world.clock.advance(1800)
    alice.jar.keep(held)

    late = page.presses(decision="allow")

    assert isinstance(late, Page)
    assert (late.status, late.error) == (400, "login_expired")
    assert app.status() == "expired"


# --- closed accounts ------------------------------------------------------------------


def test_a_closed_account_is_not_asked(
    app: App, alice: Browser, service: Service, world: World
) -> None:
    service.rows("UPDATE users SET disabled_at = 1")
    app.starts(ALICE)

    page = follows(alice, app).approves()

    assert (page.status, page.error) == (403, "account_disabled")
    assert world.network.sent(path="/oauth/revoke")
    assert cookies(alice, "native") == []


def test_account_disabled_before_the_answer_gets_no_token(
    app: App, alice: Browser, service: Service
) -> None:
    app.starts(ALICE)
    page = asked(alice, app)
    service.rows("UPDATE users SET disabled_at = 1")

    refused = page.presses(decision="allow")

    assert isinstance(refused, Page)
    assert (refused.status, refused.error) == (403, "account_disabled")
    assert app.status() == "pending"


# --- without the question -------------------------------------------------------------


@pytest.fixture
def trusting(open_service: Callable[..., Service]) -> Service:
    """A platform that accepts the risk."""
    return open_service(native_confirmation=False)


def test_without_the_question_the_callback_lets_the_app_in(trusting: Service) -> None:
    signs_in(trusting, trusting.browser(), ALICE, username="alice")
    browser = trusting.browser()
    app = App(trusting).starts(ALICE, app_name="Sketch")

    page = follows(browser, app).approves()

    assert page.status == 200
    assert "Sketch" in page.text
    assert app.status() == "completed"
    assert cookies(browser, "native") == []
    assert not browser.is_signed_in()


def test_without_the_question_a_forwarded_link_lets_its_sender_in(
    trusting: Service,
) -> None:
    """What NATIVE_CONFIRMATION=false risks, as docs/native.md says."""
    victim = signs_in(trusting, trusting.browser(), ALICE, username="alice")
    attacker = App(trusting, address="192.0.2.66").starts(ALICE)

    follows(victim, attacker).approves()

    assert attacker.asks().json()["username"] == "alice"


def test_without_the_question_a_newcomer_is_done_with_the_username(
    trusting: Service,
) -> None:
    browser = trusting.browser()
    app = App(trusting).starts(ALICE)

    signup = follows(browser, app).approves()
    assert "is signed in with it" in signup.text
    assert "you decide" not in signup.text
    page = signup.chooses("alice")

    assert page.status == 200
    assert app.status() == "completed"
    assert cookies(browser, "native") == []
