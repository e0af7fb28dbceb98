"""Answers that sign no one in: a denial, another account, another browser."""

from __future__ import annotations

import pytest

from tests.e2e import host
from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import Account


def assert_signed_out(visitor: Visitor) -> None:
    assert visitor.token is None
    assert not [name for name in visitor.cookies() if name.endswith("latchkey-session")]
    assert visitor.whoami()["error"] == "not_signed_in"


def test_a_person_who_denies_sees_the_form_again_with_what_they_typed(
    visitor: Visitor, account: Account
) -> None:
    visitor.open_login()
    visitor.identify_as(account.handle)
    host.sign_in(visitor.page, account)

    host.deny(visitor.page)
    visitor.come_back()

    assert visitor.error == "access_denied"
    assert visitor.page.locator(".notice.neutral").is_visible()
    assert visitor.page.input_value("input#identifier") == account.handle
    assert_signed_out(visitor)


def test_a_person_who_cancels_can_sign_in_after_all(
    visitor: Visitor, account: Account
) -> None:
    visitor.open_login(return_to="/auth/session")
    visitor.identify_as(account.handle)

    host.cancel(visitor.page)
    visitor.come_back()

    assert visitor.error == "access_denied"
    assert_signed_out(visitor)
    visitor.press("Sign in")
    visitor.approve(account)
    visitor.choose_username(account.handle.partition(".")[0])
    assert visitor.path == "/auth/session"


def test_an_account_that_was_not_asked_for_is_refused(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    another = lab.new_account()
    host.forget_who_was_asked_for(visitor.page)
    visitor.open_login()
    visitor.identify_as(account.handle)

    host.sign_in_from_welcome(visitor.page, another)
    host.authorize(visitor.page)
    visitor.come_back()

    assert visitor.error == "account_mismatch"
    assert_signed_out(visitor)
    assert lab.vault.oauth_sessions(another.did) == []


def test_a_login_begun_in_one_browser_cannot_be_finished_in_another(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    authorization_url = visitor.begin_without_following(account.handle)

    with lab.visitor() as other:
        other.page.goto(authorization_url)
        other.approve(account)

        assert other.error == "wrong_browser"
        assert_signed_out(other)
        [callback] = [r.url for r in other.responses if "/auth/callback?" in r.url]

    # The answer was not used up: it is still good where the login began.
    visitor.page.goto(callback)
    assert visitor.path == "/auth/signup"


def test_callback_with_an_unknown_state_is_refused(visitor: Visitor) -> None:
    answer = visitor.open(
        f"/auth/callback?state={'s' * 43}&iss=x&code=cod-never-issued-code"
    )

    assert answer is not None
    assert answer.status == 400
    assert visitor.error == "login_expired"
    assert_signed_out(visitor)


def test_sign_up_without_a_proved_account_leads_to_login(visitor: Visitor) -> None:
    visitor.open("/auth/signup")

    assert visitor.path == "/auth/login"


def test_a_form_on_another_site_begins_no_login(
    visitor: Visitor, account: Account
) -> None:
    visitor.be_sent_from_another_site("/auth/login", identifier=account.handle)

    assert visitor.error == "cross_site"
    assert visitor.path == "/auth/login"
    assert_signed_out(visitor)


@pytest.mark.parametrize("lab", ["prod_like"], indirect=True)
def test_logout_form_on_another_site_is_refused(
    visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])

    visitor.be_sent_from_another_site("/auth/logout", return_to="/")

    assert visitor.error == "cross_site"
    assert visitor.whoami()["did"] == account.did


@pytest.mark.parametrize("lab", ["dev"], indirect=True)
def test_logout_form_on_another_port_signs_out_in_loopback_development(
    visitor: Visitor, account: Account
) -> None:
    """A developer's own service, on this machine: a page of the platform."""
    visitor.become(account, account.handle.partition(".")[0])

    visitor.be_sent_from_another_site("/auth/logout", return_to="/auth/login")

    assert visitor.path == "/auth/login"
    assert_signed_out(visitor)
