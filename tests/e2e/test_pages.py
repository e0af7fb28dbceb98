"""Every page as people see it: phone and desktop, in the light and in the dark.

axe-core looks for barriers, nothing may stick out of the window, and a picture of each
goes to var/screenshots for people to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e import host
from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import Account

SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

Way = Callable[[Laboratory, Visitor, Account], None]


def login(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    visitor.open_login()


def login_with_a_remembered_account(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    account_page(lab, visitor, account)
    visitor.sign_out()
    visitor.open_login()


def login_for_a_new_account(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.open_login(prompt="create")


def login_after_a_typing_mistake(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.open_login()
    visitor.identify_as("alice at example")


def login_after_an_email_address(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.open_login()
    visitor.identify_as("alice@example.org")


def login_with_an_unknown_handle(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.open_login()
    visitor.identify_as(f"{'unused-and-very-very-long-name' * 2}.test")


def login_at_a_host_that_is_down(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.open_login()
    visitor.identify_as("http://localhost:9")


def login_after_a_no(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    visitor.open_login()
    visitor.identify_as(account.handle)
    host.cancel(visitor.page)
    visitor.come_back()


def signup(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    visitor.sign_in(account)


def signup_with_a_reserved_name(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.sign_in(account)
    visitor.choose_username("admin")


def account_page(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    visitor.become(account, account.handle.partition(".")[0])


def signed_out(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    account_page(lab, visitor, account)
    visitor.sign_out()


def logout_asked_by_another_site(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    account_page(lab, visitor, account)
    visitor.be_sent_from_another_site("/auth/logout")


def error_login_expired(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    visitor.open(f"/auth/callback?state={'s' * 43}&iss=x&code=cod-never-issued-code")


def error_wrong_account(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    host.forget_who_was_asked_for(visitor.page)
    visitor.open_login()
    visitor.identify_as(account.handle)
    host.sign_in_from_welcome(visitor.page, lab.new_account())
    host.authorize(visitor.page)
    visitor.come_back()


def error_return_to(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    visitor.open_login(return_to="https://evil.example/")


def error_not_found(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    visitor.open("/no/such/page")


WAYS: dict[Way, str | None] = {
    login: None,
    login_with_a_remembered_account: None,
    login_for_a_new_account: None,
    login_after_a_typing_mistake: "invalid_identifier",
    login_after_an_email_address: "invalid_identifier",
    login_with_an_unknown_handle: "handle_not_found",
    login_at_a_host_that_is_down: "host_unreachable",
    login_after_a_no: "access_denied",
    signup: None,
    signup_with_a_reserved_name: "username_reserved",
    account_page: None,
    signed_out: None,
    logout_asked_by_another_site: None,
    error_login_expired: "login_expired",
    error_wrong_account: "account_mismatch",
    error_return_to: "invalid_return_to",
    error_not_found: "not_found",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_page_is_open_to_everybody_and_fits_every_window(
    dev: Laboratory, way: Way
) -> None:
    # Without motion a change of colours is done when axe-core looks.
    with dev.visitor(reduced_motion="reduce") as visitor:
        way(dev, visitor, dev.new_account())

        assert visitor.error == WAYS[way]
        for size, scheme in product(SIZES, SCHEMES):
            width, height = SIZES[size]
            visitor.page.set_viewport_size({"width": width, "height": height})
            visitor.page.emulate_media(color_scheme=scheme)
            take_picture(visitor.page, f"{way.__name__}-{size}-{scheme}")
            assert barriers(visitor.page) == []
            assert overhang(visitor.page) <= 0


def barriers(page: Page) -> list[str]:
    """What axe-core complains about, and where."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['html']}" for v in found for node in v["nodes"]]


def overhang(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    pixels: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels


def take_picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
