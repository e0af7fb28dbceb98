"""What a person does on the pages of the reference PDS.

They are an app of their own: the selectors are its accessible names, and every step
waits for what it needs.
"""

from __future__ import annotations

from playwright.sync_api import Page

from tests.lab.network import Account

DROP_LOGIN_HINT = """
let asked
Object.defineProperty(window, '__authorizeData', {
  set(given) { asked = { ...given, loginHint: undefined } },
  get() { return asked },
})
"""


def sign_in(page: Page, account: Account, *, remember: bool = False) -> None:
    """Type the password of the account that was asked for."""
    _submit_password(page, account, remember=remember)


def sign_in_from_welcome(page: Page, account: Account) -> None:
    """Start at the host's welcome page, where no account was asked for."""
    press(page, "Sign in")
    page.fill("input[name=username]", account.handle)
    _submit_password(page, account, remember=False)


def forget_who_was_asked_for(page: Page) -> None:
    """Make the host's pages offer every account: others than the reference PDS do."""
    page.add_init_script(DROP_LOGIN_HINT)


def sign_up(page: Page, name: str, *, password: str) -> None:
    """Create an account, up to the host's question whether we may know of it."""
    page.fill("input[name=handle]", name)
    press(page, "Next")
    page.fill("input[name=email]", f"{name}@mail.test")
    page.fill("input[name=password]", password)
    press(page, "Sign up")
    page.get_by_role("button", name="Authorize", exact=True).wait_for()


def authorize(page: Page) -> None:
    """Let the platform know who this is."""
    press(page, "Authorize")


def deny(page: Page) -> None:
    """Refuse, once signed in."""
    press(page, "Deny access")


def cancel(page: Page) -> None:
    """Turn round before signing in."""
    press(page, "Cancel")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def _submit_password(page: Page, account: Account, *, remember: bool) -> None:
    page.fill("input[name=password]", account.password)
    if remember:
        page.check("input[name=remember]")
    press(page, "Sign in")
