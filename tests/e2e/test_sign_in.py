"""Signing in with a real account: every way in, in DEV and PROD-LIKE."""

from __future__ import annotations

import secrets

from tests.e2e import host
from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import Account


def name_of(account: Account) -> str:
    """The first label of the handle, which is unique."""
    return account.handle.partition(".")[0]


def test_a_newcomer_approves_at_the_host_and_picks_a_username(
    visitor: Visitor, account: Account
) -> None:
    visitor.sign_in(account)

    assert visitor.path == "/auth/signup"
    assert visitor.token is None
    assert visitor.page.input_value("input#username") == name_of(account)

    visitor.choose_username(f"{name_of(account)}-x")

    assert visitor.path == "/auth/account"
    who = visitor.whoami()
    assert who["did"] == account.did
    assert who["handle"] == account.handle
    assert who["username"] == f"{name_of(account)}-x"


def test_the_second_login_asks_for_no_username(
    visitor: Visitor, account: Account
) -> None:
    visitor.become(account, name_of(account))
    visitor.sign_out()

    visitor.sign_in(account)

    assert visitor.path == "/auth/account"
    assert visitor.whoami()["username"] == name_of(account)


def test_a_second_device_is_not_the_end_of_the_first(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, name_of(account))

    with lab.visitor() as second_device:
        second_device.sign_in(account)

        assert second_device.whoami()["did"] == account.did
    assert visitor.whoami()["did"] == account.did


def test_leaving_the_sign_up_page_loses_nothing(
    visitor: Visitor, account: Account
) -> None:
    visitor.sign_in(account, return_to="/auth/session")
    visitor.open("/healthz")

    visitor.open("/auth/account")
    assert visitor.path == "/auth/signup"
    visitor.choose_username(name_of(account))

    assert visitor.path == "/auth/session"


def test_return_to_survives_sign_up(visitor: Visitor, account: Account) -> None:
    visitor.sign_in(account, return_to="/auth/session")
    visitor.choose_username(name_of(account))

    assert visitor.path == "/auth/session"


def test_return_to_survives_a_mistyped_handle(
    visitor: Visitor, account: Account
) -> None:
    visitor.open_login(return_to="/auth/session")
    visitor.identify_as("not a handle!")
    assert visitor.error == "invalid_identifier"

    visitor.identify_as(account.handle)
    visitor.approve(account)
    visitor.choose_username(name_of(account))

    assert visitor.path == "/auth/session"


def test_login_while_signed_in_skips_the_host(
    visitor: Visitor, account: Account
) -> None:
    visitor.become(account, name_of(account))
    earlier_token = visitor.token
    visitor.responses.clear()

    visitor.open_login(return_to="/auth/session")

    assert visitor.path == "/auth/session"
    assert visitor.token not in {None, earlier_token}
    assert not [r for r in visitor.responses if r.url.startswith(visitor.host_url)]


def test_the_account_is_remembered_on_this_device_until_not_me(
    visitor: Visitor, account: Account
) -> None:
    visitor.become(account, name_of(account))
    visitor.sign_out(keep=True)
    visitor.open_login()

    remembered = visitor.page.get_by_role("button", name=account.handle)
    remembered.first.click()
    visitor.approve(account)
    assert visitor.whoami()["did"] == account.did

    visitor.sign_out(keep=True)
    visitor.open_login()
    visitor.page.get_by_role("button", name=f"forget {account.handle}").click()
    visitor.page.wait_for_load_state()
    assert not visitor.page.get_by_text(account.handle).count()


def test_a_name_without_a_dot_is_completed(visitor: Visitor, account: Account) -> None:
    visitor.open_login()

    visitor.identify_as(f" @{account.handle.upper().partition('.')[0]} ")
    visitor.approve(account)

    assert visitor.path == "/auth/signup"


def test_a_handle_that_its_own_host_alone_vouches_for_signs_in(
    prod_like: Laboratory,
) -> None:
    # No TXT record: https://alice.pds.test/.well-known/atproto-did has to do.
    alice = prod_like.network.create_account("alice")
    with prod_like.visitor() as visitor:
        visitor.sign_in(alice)

        assert visitor.path == "/auth/signup"
        assert alice.handle in visitor.page.inner_text("main")


def test_a_did_signs_in(visitor: Visitor, account: Account) -> None:
    visitor.open_login()

    visitor.identify_as(account.did)
    visitor.approve(account)

    assert account.handle in visitor.page.inner_text("main")


def test_a_login_can_start_from_the_host(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.open_login()

    visitor.identify_as(lab.network.pds_url)
    host.sign_in_from_welcome(visitor.page, account)
    host.authorize(visitor.page)
    visitor.come_back()
    visitor.choose_username(name_of(account))

    assert visitor.whoami()["did"] == account.did


def test_login_from_a_host_without_handle_continues_there(
    visitor: Visitor, account: Account
) -> None:
    visitor.open_login()

    visitor.page.get_by_role("button", name="remember my handle").click()
    host.sign_in_from_welcome(visitor.page, account)
    host.authorize(visitor.page)
    visitor.come_back()

    assert account.handle in visitor.page.inner_text("main")


def test_a_person_without_an_account_creates_one_on_the_way(
    lab: Laboratory, visitor: Visitor
) -> None:
    name, password = f"new{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    visitor.open_login()

    visitor.page.get_by_role("button", name="Create an account").click()
    host.sign_up(visitor.page, name, password=password)
    account = lab.network.adopt(name, password=password)
    host.authorize(visitor.page)
    visitor.come_back()
    visitor.choose_username(name)

    who = visitor.whoami()
    assert (who["did"], who["username"]) == (account.did, name)


def test_an_answered_login_opened_again_leads_on(
    visitor: Visitor, account: Account
) -> None:
    callbacks: list[str] = []
    visitor.page.on(
        "request",
        lambda request: (
            callbacks.append(request.url) if "/auth/callback?" in request.url else None
        ),
    )
    visitor.become(account, name_of(account))

    visitor.page.goto(callbacks[0])

    assert visitor.path == "/auth/account"


def test_a_username_that_looks_like_another_is_taken(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, f"{name_of(account)}-o1")
    second = lab.new_account()

    with lab.visitor() as other:
        other.become(second, f"{name_of(account)}-0l")

        assert other.error == "username_taken"
        assert other.token is None
        other.choose_username(name_of(second))
        assert other.whoami()["username"] == name_of(second)
