"""Pages in a browser: other languages, right to left, zoom, high contrast, keyboard.

No service runs: the browser is answered by the previewed pages, as in
`test_page_templates.py`.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Playwright

from app.web.languages.catalogues import Catalogues
from tests.pages.chromium import ORIGIN, launch, visitor
from tests.pages.faces import ODD, longest_language
from tests.pages.preview import ROOT, create_preview
from tests.pages.samples import errors, everything

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
HALF = {"width": 640, "height": 400}
"""What a page has at a zoom of 200 % on a desktop."""

ALL = [sample.name for sample in everything()]
ERRORS = {sample.name for sample in errors()}
PAGES = [name for name in ALL if name not in ERRORS]

ARABIC = {
    "Sign in": "تسجيل الدخول",
    "Sign in to %(platform_name)s": "تسجيل الدخول إلى %(platform_name)s",
    "Your Atmosphere account": "حسابك في Atmosphere",
    "Used on this device": "مستخدم على هذا الجهاز",
    "Language": "اللغة",
    "Change": "تغيير",
    "Your account": "حسابك",
}


@pytest.fixture(scope="module")
def browser(playwright: Playwright):
    with launch(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def odd():
    """Pages in the longest language, with a logo and an odd accent."""
    return create_preview(language=longest_language(), brand=ODD)


@pytest.fixture(scope="module")
def arabic(tmp_path_factory):
    """Pages in a language of the operator's own, written from right to left."""
    folder = tmp_path_factory.mktemp("own")
    lines = ['msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n']
    lines += [f'msgid "{text}"\nmsgstr "{own}"\n' for text, own in ARABIC.items()]
    (folder / "ar.po").write_text("\n".join(lines), encoding="utf-8")
    return create_preview(Catalogues((ROOT / "app/translations", folder)), "ar", ODD)


@pytest.fixture
def opens(browser):
    """Open one page after the other in one profile."""
    with ExitStack() as profiles:

        def opens(app, **options) -> Page:
            context = visitor(browser, app, reduced_motion="reduce", **options)
            return profiles.enter_context(context).new_page()

        yield opens


def overhang(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    pixels: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels


def bottom(element: Locator) -> float:
    box = element.bounding_box()
    return box["y"] + box["height"]


def unfolded(page: Page, name: str) -> Page:
    page.goto(f"{ORIGIN}/{name}")
    for summary in page.locator("summary").all():
        summary.click()
    return page


# --- the longest language, an odd face ------------------------------------------------


@pytest.mark.parametrize("viewport", [PHONE, HALF], ids=["phone", "zoom 200 %"])
def test_every_page_in_the_longest_language_fits(opens, odd, viewport):
    page = opens(odd, viewport=viewport)

    wide = {name for name in ALL if overhang(unfolded(page, name)) > 0}

    assert wide == set()


CUT = """() => [...document.querySelectorAll("main *, header *, footer *")]
    .filter((e) => e.clientWidth && e.type !== "text" && e.checkVisibility())
    .filter((e) => e.scrollWidth > e.clientWidth + 1)
    .map((e) => e.outerHTML)"""


@pytest.mark.parametrize(
    "name", ["login-remembered", "signup", "confirm", "consent", "account-apps"]
)
def test_text_of_twice_the_size_stays_in_its_frame_on_a_phone(opens, odd, name):
    page = unfolded(opens(odd, viewport=PHONE), name)

    page.evaluate("document.documentElement.style.fontSize = '200%'")

    assert page.evaluate(CUT) == []
    assert overhang(page) == 0


def test_account_of_twice_the_size_is_as_wide_as_the_page(opens, odd):
    page = opens(odd, viewport=PHONE)
    page.goto(f"{ORIGIN}/login-remembered")
    account, forget = page.locator(".accounts li").first.locator("form").all()

    beside = forget.bounding_box()["y"] < bottom(account)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    below = forget.bounding_box()["y"] >= bottom(account)

    assert (beside, below) == (True, True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["login-remembered", "account-devices", "signup"])
def test_page_with_an_odd_accent_has_no_barriers(opens, odd, name, scheme):
    page = unfolded(opens(odd, viewport=DESKTOP, color_scheme=scheme), name)

    results = Axe().run(page)

    assert results.violations_count == 0, results.generate_report()


# --- right to left --------------------------------------------------------------------


def test_arabic_pages_turn_round_and_fit(opens, arabic):
    page = opens(arabic, viewport=PHONE)

    wide = {name for name in PAGES if overhang(unfolded(page, name)) > 0}

    assert wide == set()
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"


def test_arabic_page_has_its_start_on_the_right(opens, arabic):
    page = unfolded(opens(arabic, viewport=PHONE), "login-remembered")
    account, forget = (
        page.locator(".accounts li").first.locator("form").nth(n).bounding_box()
        for n in (0, 1)
    )
    heading = page.locator("h1")

    assert account["x"] > forget["x"]
    assert heading.inner_text() == "تسجيل الدخول إلى Meadow"
    assert heading.evaluate("e => getComputedStyle(e).textAlign") in {"start", "right"}


def test_arabic_notice_has_its_thick_edge_on_the_right(opens, arabic):
    page = unfolded(opens(arabic, viewport=PHONE), "error-handle_not_found")
    edges = page.locator("#notice").evaluate(
        'e => ["borderLeftWidth", "borderRightWidth"].map('
        "(edge) => getComputedStyle(e)[edge])"
    )

    assert edges == ["1px", "4px"]


@pytest.mark.parametrize(
    "name", ["login-remembered", "account-devices", "confirm", "consent"]
)
def test_arabic_page_has_no_barriers(opens, arabic, name):
    page = unfolded(opens(arabic, viewport=DESKTOP), name)

    results = Axe().run(page)

    assert results.violations_count == 0, results.generate_report()


# --- high contrast, keyboard ----------------------------------------------------------


@pytest.mark.parametrize("name", ["login-remembered", "account-devices", "leave"])
def test_buttons_have_an_edge_in_forced_colours(opens, odd, name):
    page = unfolded(opens(odd, viewport=DESKTOP, forced_colors="active"), name)

    # A checkbox is the browser's own there, and has an edge without a border.
    bare = page.evaluate(
        """[...document.querySelectorAll("button, [role=button], input, select")]
        .filter((e) => e.checkVisibility() && !["hidden", "checkbox"].includes(e.type))
        .filter((e) => getComputedStyle(e).borderTopStyle === "none")
        .map((e) => e.outerHTML)"""
    )

    assert bare == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tick_is_seen_in_forced_colours(opens, odd, scheme):
    page = opens(odd, viewport=DESKTOP, forced_colors="active", color_scheme=scheme)
    page.goto(f"{ORIGIN}/logout")
    box = page.get_by_role("checkbox")

    blank = box.screenshot()
    box.evaluate("e => { e.checked = true }")

    assert box.screenshot() != blank


WALK = """() => {
    const all = "a[href], button, input:not([type=hidden]), select, summary";
    const seen = [...document.querySelectorAll(all)].filter((e) => e.checkVisibility());
    seen.forEach((element, n) => { element.dataset.stop = n; });
    document.body.tabIndex = -1;
    document.body.focus();
    return seen.length;
}"""
STOP = """() => {
    const here = document.activeElement;
    const style = getComputedStyle(here);
    return [here.dataset.stop ?? "", style.outlineStyle !== "none"];
}"""


def test_keyboard_reaches_every_control_of_every_page_and_shows_where(opens, odd):
    page = opens(odd, viewport=DESKTOP)
    for name in PAGES:
        page.goto(f"{ORIGIN}/{name}")
        count = page.evaluate(WALK)
        stops = []
        for _ in range(count):
            page.keyboard.press("Tab")
            stops.append(page.evaluate(STOP))

        assert stops == [[str(n), True] for n in range(count)], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_has_one_colour_on_every_kind_of_control(opens, odd, scheme):
    page = opens(odd, viewport=DESKTOP, color_scheme=scheme)
    page.goto(f"{ORIGIN}/account-apps")
    rings = set()
    for _ in range(page.evaluate(WALK)):
        page.keyboard.press("Tab")
        rings.add(
            page.evaluate("getComputedStyle(document.activeElement).outlineColor")
        )

    link = page.locator("main a").first.evaluate("e => getComputedStyle(e).color")
    assert rings == {link}


# --- times ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "21. November 2026 um 23:05"),
        ({"java_script_enabled": False}, "21. November 2026, 14:05 UTC"),
    ],
)
def test_times_are_in_the_zone_of_the_device_or_name_utc(opens, odd, options, text):
    page = opens(odd, timezone_id="Asia/Tokyo", locale="de-AT", **options)
    page.goto(f"{ORIGIN}/account")

    assert page.locator("time[data-zone]").first.inner_text() == text
    assert page.locator("time[title]").first.get_attribute("title") == text
