"""Signing in without our script, and without a mouse."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.e2e import host
from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import Account

MOST_TABS = 25


def test_everything_works_without_our_script(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    # The host's own pages need scripts, so ours are kept away one by one.
    visitor.context.route(f"{lab.service.url}/**/*.js", lambda route: route.abort())

    visitor.become(account, account.handle.partition(".")[0])
    assert visitor.whoami()["did"] == account.did
    visitor.sign_out()

    assert visitor.heading == "You are signed out"


def test_our_pages_are_complete_in_a_browser_without_scripts(lab: Laboratory) -> None:
    with lab.visitor(java_script_enabled=False) as visitor:
        visitor.open_login()
        visitor.identify_as("not a handle!")

        assert visitor.error == "invalid_identifier"
        visitor.identify_as("unused-handle")
        assert visitor.error == "handle_not_found"
        visitor.page.fill("input#identifier", lab.network.pds_url)
        visitor.press("Sign in")
        visitor.page.wait_for_url(f"{lab.network.pds_url}/oauth/authorize?*")


def test_a_keyboard_is_enough(visitor: Visitor, account: Account) -> None:
    page = visitor.page
    visitor.open_login()

    tab_to(page, "input#identifier")
    page.keyboard.type(account.handle)
    page.keyboard.press("Enter")
    host.sign_in(page, account)
    host.authorize(page)
    visitor.come_back()
    tab_to(page, "input#username")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(account.handle.partition(".")[0])
    page.keyboard.press("Enter")
    page.wait_for_url("**/auth/account")
    tab_to(page, "form[action='/auth/logout'] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/auth/logout")

    assert visitor.heading == "You are signed out"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element that `selector` means has the focus."""
    for _ in range(MOST_TABS):
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {selector}")
