"""nginx asks us before it lets a request through, as docs/forward-auth.md says."""

from __future__ import annotations

import json

import pytest

from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import Account
from tests.lab.processes import session

PAGE = "/members/42?page=2&sort=new"


@pytest.fixture
def visitor(prod_like: Laboratory):
    with prod_like.visitor() as visitor:
        yield visitor


@pytest.fixture
def account(prod_like: Laboratory) -> Account:
    return prod_like.new_account()


def shown(visitor: Visitor) -> dict[str, str]:
    """What the service behind the proxy knows about its visitor."""
    named: dict[str, str] = json.loads(visitor.page.inner_text("body"))
    return named


def test_a_stranger_signs_in_and_is_back_where_they_wanted_to_be(
    sibling: str, visitor: Visitor, account: Account
) -> None:
    visitor.page.goto(sibling + PAGE)
    assert visitor.path == "/auth/login"

    visitor.identify_as(account.handle)
    visitor.approve(account)
    visitor.choose_username(account.handle.partition(".")[0])

    assert visitor.page.url == sibling + PAGE
    named = shown(visitor)
    assert named["user"] == account.handle.partition(".")[0]
    assert (named["did"], named["handle"]) == (account.did, account.handle)


def test_the_service_knows_whom_we_named_and_not_what_a_client_says(
    prod_like: Laboratory, sibling: str, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    visitor.page.set_extra_http_headers({"X-Auth-Request-User": "root"})

    visitor.page.goto(sibling + PAGE)

    assert shown(visitor)["user"] == account.handle.partition(".")[0]
    with session(prod_like.network.ca) as http:
        answer = http.get(
            sibling + PAGE,
            headers={"X-Auth-Request-User": "root"},
            allow_redirects=False,
        )
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{prod_like.service.url}/auth/login?")


def test_a_program_passes_with_the_token_in_a_header(
    prod_like: Laboratory, sibling: str, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])

    with session(prod_like.network.ca) as http:
        answer = http.post(
            sibling + PAGE, headers={"Authorization": f"Bearer {visitor.token}"}
        )

    assert (answer.status_code, answer.json()["did"]) == (200, account.did)
