"""Every template in a browser, without the service: barriers, keyboard, the script.

`test_pages.py` in the folder above meets the pages of the running service; here stand
those that are hard to come by, and every error.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.pages.chromium import ORIGIN, launch, visitor
from tests.pages.preview import create_preview
from tests.pages.samples import everything

PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser(playwright: Playwright):
    with launch(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def app():
    return create_preview()


@pytest.fixture
def visit(browser: Browser, app):
    """Open a page; every complaint of the browser fails the test."""
    complaints: list[str] = []
    opened = []

    def visit(name: str, **options) -> Page:
        profile = visitor(browser, app, **({"viewport": DESKTOP} | options))
        opened.append(profile)
        page = profile.__enter__().new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{ORIGIN}/{name}")
        # A browser focuses when it first draws, which may be after it has loaded.
        if (noticed := page.locator("[autofocus]")).count():
            expect(noticed).to_be_focused()
        return page

    yield visit
    for profile in opened:
        profile.__exit__(None, None, None)
    assert complaints == []


HOLD = """
    window.sent = 0;
    addEventListener("submit", (event) => {
        if (!event.defaultPrevented) window.sent += 1;
        event.preventDefault();
    });
"""


def hold(page: Page) -> None:
    """Count the forms that the page lets go, and let none of them leave it.

    That is how the page looks while a slow host keeps the service waiting.
    """
    page.evaluate(HOLD)


def sent(page: Page) -> int:
    return int(page.evaluate("window.sent"))


# --- everybody ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [sample.name for sample in everything()])
def test_a_page_is_open_to_everybody_on_the_narrowest_phone(visit, name):
    page = visit(name, viewport=PHONE, is_mobile=True, reduced_motion="reduce")
    for summary in page.locator("summary").all():
        summary.click()

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()


def test_the_fields_are_large_enough_that_a_phone_does_not_zoom(visit):
    for name, field in [("login", "#identifier"), ("signup", "#username")]:
        page = visit(name, viewport=PHONE)
        size = page.locator(field).evaluate(
            "e => parseFloat(getComputedStyle(e).fontSize)"
        )
        assert size >= 16


CONTROLS = "button, summary, select, input, [role=button], .links a, .brand a"
SMALL = """(controls) => [...document.querySelectorAll(controls)]
    .filter((e) => e.checkVisibility() && e.type !== "hidden")
    .map((e) => (e.type === "checkbox" ? e.closest("label") : e))
    .filter((e) => Math.min(e.offsetHeight, e.offsetWidth) < 44)
    .map((e) => e.outerHTML)"""


@pytest.mark.parametrize(
    "name",
    ["login-hosts", "login-remembered", "account-devices", "account-apps", "logout"],
)
def test_a_finger_hits_every_control(visit, name):
    page = visit(name, viewport=PHONE, is_mobile=True, has_touch=True)
    for summary in page.locator("summary").all():
        summary.click()

    assert page.evaluate(SMALL, CONTROLS) == []


def test_space_bar_presses_a_link_that_looks_like_a_button(visit):
    page = visit("logout")

    page.evaluate(
        """addEventListener("click", (event) => {
            window.pressed = event.target.getAttribute("href");
            event.preventDefault();
        })"""
    )

    page.get_by_role("button", name="Stay signed in").focus()
    page.keyboard.press("Space")

    assert page.evaluate("window.pressed") == "/auth/account"


def test_focus_is_seen_in_high_contrast(visit):
    page = visit("login", forced_colors="active")

    page.locator("#identifier").focus()
    style = page.locator("#identifier").evaluate(
        "e => getComputedStyle(e).outlineStyle"
    )

    assert style == "solid"


def test_the_keyboard_reaches_everything_in_the_order_of_reading(visit):
    page = visit("login-remembered", viewport=PHONE)
    names = []
    for _ in range(10):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))

    assert [" ".join(name.split()) for name in names[:5]] == [
        "alice.bsky.social Continue at bsky.social",
        "Not me",
        "alice.example.com",
        "Not me",
        "",  # the field
    ]
    assert names[5] == "Sign in"


# --- without a script -----------------------------------------------------------------


def test_signing_in_works_without_a_script(visit):
    page = visit("login", java_script_enabled=False)
    page.locator("#identifier").fill("alice.example.com")
    with page.expect_request("**/auth/login") as posted:
        page.keyboard.press("Enter")

    assert parse_qs(posted.value.post_data) == {
        "identifier": ["alice.example.com"],
        "return_to": ["https://forum.meadow.example/t/42?page=2"],
    }


def test_an_error_has_the_focus_without_a_script(visit):
    page = visit("error-handle_not_found", java_script_enabled=False)
    page.keyboard.press("Tab")

    # The next stop after the notice is the field that it speaks of.
    with page.expect_request("**/auth/login") as posted:
        page.keyboard.press("Enter")
    assert "identifier=alice.example.com" in posted.value.post_data


# --- with the script ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "focused"),
    [
        ("login", {}, "identifier"),
        ("signup", {}, "username"),
        ("login", {"viewport": PHONE}, ""),
        ("login", {"has_touch": True, "is_mobile": True}, ""),
        ("login-create", {}, ""),
        ("error-handle_not_found", {}, "notice"),
        ("error-username_taken", {}, "notice"),
        ("error-internal", {}, "notice"),
    ],
)
def test_the_cursor_waits_where_it_is_wanted(visit, name, options, focused):
    page = visit(name, **options)

    assert page.evaluate("document.activeElement.id") == focused


def test_while_a_host_is_looked_up_the_page_says_so_and_sends_nothing_twice(visit):
    page = visit("login")
    hold(page)
    page.locator("#identifier").fill("alice.example.com")
    button = page.get_by_role("button", name="Sign in")
    button.click()
    button.click(force=True)
    page.get_by_role("button", name="Create an account").click()

    assert button.get_attribute("aria-disabled") == "true"
    assert "continue at the server" in page.get_by_role("status").inner_text()
    assert sent(page) == 1


def test_after_ten_seconds_one_may_try_again(visit):
    page = visit("login")
    page.clock.install(time=datetime(2026, 11, 29, tzinfo=UTC))
    page.reload()
    hold(page)
    page.locator("#identifier").fill("alice.example.com")
    button = page.get_by_role("button", name="Sign in")
    page.clock.pause_at(datetime(2026, 11, 30, tzinfo=UTC))  # a slow machine adds none
    button.click()

    page.clock.fast_forward(9_900)
    assert button.get_attribute("aria-disabled") == "true"
    page.clock.fast_forward(200)
    assert button.get_attribute("aria-disabled") is None
    assert "try again" in page.get_by_role("status").inner_text()
    button.click()
    assert sent(page) == 2


def test_a_page_that_comes_back_by_the_back_button_is_ready_again(visit):
    page = visit("login")
    hold(page)
    page.locator("#identifier").fill("alice.example.com")
    button = page.get_by_role("button", name="Sign in")
    button.click()

    page.evaluate(
        "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
    )

    assert button.get_attribute("aria-disabled") is None
    assert page.get_by_role("status").inner_text() == ""


def test_a_press_on_a_host_says_where_one_will_continue(visit):
    page = visit("login")
    hold(page)
    page.get_by_role("button", name="I don't remember my handle").click()

    status = page.get_by_role("status").inner_text()

    assert status == "You will continue at bsky.social."


def test_forgetting_an_account_needs_no_waiting(visit):
    page = visit("login-remembered")
    with page.expect_request("**/auth/login") as posted:
        page.get_by_role("button", name="Not me: forget alice.bsky.social").click()

    assert "forget=did" in posted.value.post_data


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("Alice-2", "alice-2 is free."),
        ("bob", "This name is taken."),
        ("al ice", "Only letters from a to z, digits and single hyphens"),
        ("al", ""),
    ],
)
def test_a_username_is_judged_while_it_is_typed(visit, typed, words):
    page = visit("signup-without-handle")
    page.clock.install()
    page.reload()
    page.locator("#username").press_sequentially(typed)
    page.clock.fast_forward(500)

    said = page.locator("#username-check")
    expect(said).to_contain_text(words)
    assert bool(said.inner_text()) is bool(words)


# --- accounts to choose from ----------------------------------------------------------


def suggested(visit, typed: str) -> Page:
    page = visit("login")
    page.locator("#identifier").press_sequentially(typed)
    expect(page.locator(".suggestions li")).to_have_count(2)
    return page


def test_account_is_chosen_by_keyboard(visit):
    page = suggested(visit, "ali")
    field = page.locator("#identifier")
    assert field.get_attribute("aria-expanded") == "true"

    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    marked = page.locator(".suggestions [aria-selected=true]")
    assert marked.get_attribute("id") == field.get_attribute("aria-activedescendant")
    page.keyboard.press("Enter")

    expect(field).to_have_value("alice.bsky.social")
    expect(field).to_be_focused()
    assert field.get_attribute("aria-expanded") == "false"


def test_account_is_chosen_by_a_press(visit):
    page = suggested(visit, "ali")

    page.locator(".suggestions li", has_text="alicia").click()

    expect(page.locator("#identifier")).to_have_value("alicia.example.com")


def test_escape_closes_the_accounts_and_what_is_typed_stays(visit):
    page = suggested(visit, "ali")

    page.keyboard.press("Escape")

    expect(page.locator(".suggestions li")).to_have_count(0)
    expect(page.locator("#identifier")).to_have_value("ali")


def test_open_accounts_have_no_barrier(visit):
    page = suggested(visit, "ali")

    assert Axe().run(page).response["violations"] == []


def test_without_typeahead_the_field_is_a_plain_one(visit):
    page = visit("login-no-typeahead")

    assert page.get_by_role("combobox", name="Atmosphere").count() == 0
    assert page.get_by_role("textbox").count() == 1
