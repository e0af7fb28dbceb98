"""A person signs in to an app: through sign-in, sign-up and consent in Chromium.

No app answers: what counts is that Chromium asks for its address. It applies
`form-action` to the redirects that follow our form, and would not.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from playwright.sync_api import Error, Request

from app.atproto.crypto.proofs import challenge_of
from tests.e2e import host
from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor


@dataclass
class App:
    """An app that an operator registers, and that lives in a browser's memory."""

    lab: Laboratory
    redirect_uri: str
    options: tuple[str, ...] = ()
    name: str = field(default_factory=lambda: f"app-{secrets.token_hex(4)}")
    state: str = field(default_factory=lambda: secrets.token_urlsafe(900))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self) -> None:
        registered = self.redirect_uri.replace(":50123", "")
        added = self.lab.service.command(
            *("clients", "add", self.name, "--redirect-uri", registered),
            *("--allow", "everyone", *self.options),
        )
        self.secret = added["client_secret"]

    def opens(self, visitor: Visitor, **changes: str) -> None:
        """Be the page that sends the person to sign in."""
        query = {
            "response_type": "code",
            "client_id": self.name,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile",
            "state": self.state,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        # The address of an app that is not there does not load.
        with suppress(Error):
            visitor.open(f"/oauth/authorize?{urlencode(query)}")

    def answer(self, visitor: Visitor, act: Callable[[], None]) -> dict[str, str]:
        """Do what leads back to the app, and return what comes along."""
        with visitor.page.expect_request(self._is_answer) as asked:
            act()
        answer = dict(parse_qsl(urlsplit(asked.value.url).query))
        assert answer["state"] == self.state
        assert answer["iss"] == self.lab.service.url
        return answer

    def _is_answer(self, request: Request) -> bool:
        return request.url.startswith(f"{self.redirect_uri}?")

    def redeems(self, code: str) -> Any:
        """Exchange the code for tokens."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            "client_id": self.name,
        }
        if self.secret:
            fields["client_secret"] = self.secret
        answer = self.lab.ask("/oauth/token", method="POST", data=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_newcomer_signs_up_and_consents_and_a_member_goes_straight_on(
    lab: Laboratory, visitor: Visitor
) -> None:
    app, account = App(lab, "https://app.example.org/cb"), lab.new_account()

    app.opens(visitor)
    visitor.identify_as(account.handle)
    visitor.approve(account)
    visitor.choose_username(account.handle.partition(".")[0])
    assert visitor.heading == f"Sign in to {app.name}?"
    code = app.answer(visitor, lambda: visitor.press("Allow"))["code"]

    assert app.redeems(code)["id_token"]
    again = app.answer(visitor, lambda: app.opens(visitor))["code"]
    assert again != code


def test_prompt_login_has_the_host_ask_for_the_password_again(
    prod_like: Laboratory,
) -> None:
    app, account = App(prod_like, "https://app.example.org/cb"), prod_like.new_account()
    with prod_like.visitor() as visitor:
        visitor.open_login()
        visitor.identify_as(account.handle)
        host.sign_in(visitor.page, account, remember=True)  # asked for no more
        host.authorize(visitor.page)
        visitor.come_back()
        visitor.choose_username(account.handle.partition(".")[0])
        before = time.time()

        app.opens(visitor, prompt="login")
        visitor.identify_as(account.handle)
        host.sign_in(visitor.page, account)
        host.authorize(visitor.page)
        visitor.come_back()
        code = app.answer(visitor, lambda: visitor.press("Allow"))["code"]

    claims = jwt.decode(
        app.redeems(code)["id_token"], options={"verify_signature": False}
    )
    assert claims["sub"] == account.did
    assert claims["auth_time"] >= int(before)


def test_person_says_no_by_keyboard(lab: Laboratory, visitor: Visitor) -> None:
    app, account = App(lab, "https://app.example.org/cb"), lab.new_account()
    visitor.become(account, account.handle.partition(".")[0])

    app.opens(visitor)
    button = visitor.page.get_by_role("button", name="Don't allow")
    for _ in range(20):
        visitor.page.keyboard.press("Tab")
        if button.evaluate("e => e === document.activeElement"):
            break
    answer = app.answer(visitor, lambda: visitor.page.keyboard.press("Enter"))

    assert answer["error"] == "access_denied"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_app_on_the_device_is_reached_after_consent(
    lab: Laboratory, visitor: Visitor, host: str
) -> None:
    app = App(lab, f"http://{host}:50123/cb", ("--public",))
    account = lab.new_account()
    visitor.become(account, account.handle.partition(".")[0])

    app.opens(visitor)
    answer = app.answer(visitor, lambda: visitor.press("Allow"))

    assert app.redeems(answer["code"])["id_token"]


def test_account_that_is_kept_out_goes_back_to_the_app(
    lab: Laboratory, visitor: Visitor
) -> None:
    app, account = App(lab, "https://app.example.org/cb"), lab.new_account()
    visitor.become(account, account.handle.partition(".")[0])
    other = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
    lab.service.command("clients", "edit", app.name, "--allow", other)

    app.opens(visitor)
    assert visitor.error == "not_allowed_here"
    back = visitor.page.get_by_role("button", name="Go back to app.example.org")

    assert app.answer(visitor, back.click)["error"] == "access_denied"
