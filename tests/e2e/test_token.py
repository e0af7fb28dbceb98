"""The platform's cookie, verified by services that know the public keys and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from playwright.sync_api import Page

from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import PLATFORM_TOKEN, Visitor
from tests.lab.network import Account
from tests.lab.processes import get


@pytest.fixture
def member(prod_like: Laboratory) -> Iterator[tuple[Visitor, Account]]:
    account = prod_like.new_account()
    with prod_like.visitor() as visitor:
        visitor.become(account, account.handle.partition(".")[0])
        yield visitor, account


def test_pyjwt_verifies_the_cookie_with_the_public_keys(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    published = get(f"{lab.service.url}/.well-known/jwks.json", ca=lab.network.ca)
    keys = jwt.PyJWKSet.from_dict(published.json())
    header = jwt.get_unverified_header(visitor.token or "")

    claims = jwt.decode(
        visitor.token or "",
        keys[header["kid"]],
        algorithms=["RS256"],
        issuer=lab.service.url,
        audience=lab.service.url,
        options={"require": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "sid"]},
    )

    assert claims["sub"] == account.did
    assert claims["handle"] == account.handle
    assert claims["username"] == account.handle.partition(".")[0]
    assert claims["exp"] - claims["iat"] == 24 * 3600 + 30


def test_the_public_keys_have_no_private_part_and_no_client_key(
    lab: Laboratory,
) -> None:
    published = get(f"{lab.service.url}/.well-known/jwks.json", ca=lab.network.ca)

    for key in published.json()["keys"]:
        assert key["kty"] == "RSA"
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi"}


def test_the_cookie_is_for_the_whole_platform_and_for_no_script(
    member: tuple[Visitor, Account],
) -> None:
    visitor, _ = member
    [cookie] = [c for c in visitor.context.cookies() if c["name"] == PLATFORM_TOKEN]

    assert cookie["domain"] == ".platform.internal"
    assert cookie["path"] == "/"
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Lax"
    assert visitor.page.evaluate("document.cookie") == ""


def test_a_sibling_host_identifies_its_visitor_with_jose(
    sibling: str, member: tuple[Visitor, Account]
) -> None:
    visitor, account = member

    answer = open_json(visitor.page, f"{sibling}/me")

    assert answer["claims"]["sub"] == account.did
    assert answer["header"]["alg"] == "RS256"


def test_a_person_arrives_at_the_sibling_host_that_sent_them(
    sibling: str, prod_like: Laboratory
) -> None:
    account = prod_like.new_account()
    with prod_like.visitor() as visitor:
        visitor.sign_in(account, return_to=f"{sibling}/me")
        visitor.choose_username(account.handle.partition(".")[0])

        assert visitor.page.url == f"{sibling}/me"
        assert account.did in visitor.page.inner_text("body")


def test_a_sibling_host_refuses_a_token_that_was_changed(
    sibling: str, member: tuple[Visitor, Account]
) -> None:
    visitor, _ = member
    head, claims, signature = (visitor.token or "").split(".")
    changed = f"{head}.{claims}.{signature[:-8]}AAAAAAAA"
    visitor.context.clear_cookies(name=PLATFORM_TOKEN)
    visitor.context.add_cookies(
        [{"name": PLATFORM_TOKEN, "value": changed, "url": sibling}]
    )

    answer = open_json(visitor.page, f"{sibling}/me")

    assert answer == {"error": "signature verification failed"}


def test_sibling_host_after_logout_gets_no_token(
    sibling: str, member: tuple[Visitor, Account]
) -> None:
    visitor, _ = member
    visitor.sign_out()

    assert open_json(visitor.page, f"{sibling}/me") == {"error": "no platform token"}


def open_json(page: Page, url: str) -> Any:
    """Navigate there, as a person does, and read the JSON."""
    response = page.goto(url)
    assert response is not None
    return response.json()
