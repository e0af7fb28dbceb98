"""What operators and people do about accounts, against the real host."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
import requests

from app.atproto.records import OAuthSession
from tests.e2e.grant import refresh
from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import Account, free_port
from tests.lab.service import start_in_development

WITHIN = 10
"""Seconds in which every process has to notice (OPERATIONS: on every node)."""


def name_of(account: Account) -> str:
    return account.handle.partition(".")[0]


def is_alive(lab: Laboratory, grant: OAuthSession) -> bool:
    """Tell whether the host still refreshes a grant."""
    key = lab.vault.client_key() if lab.client_authenticates else None
    return refresh(grant, client_key=key, ca=lab.network.ca).status_code == 200


def verified(lab: Laboratory, token: str) -> int:
    """Ask /auth/verify on a connection of its own, so that any worker may answer."""
    answer = requests.get(
        f"{lab.service.url}/auth/verify",
        headers={"Authorization": f"Bearer {token}", "Connection": "close"},
        verify=str(lab.network.ca) if lab.network.ca else True,
        timeout=10,
    )
    return answer.status_code


@pytest.fixture
def member(lab: Laboratory, visitor: Visitor, account: Account) -> Visitor:
    """A person with a username, in a browser."""
    visitor.become(account, name_of(account))
    return visitor


@pytest.fixture(scope="session")
def invited(dev: Laboratory) -> Iterator[Laboratory]:
    """A platform of its own, which newcomers join by invitation alone."""
    service = start_in_development(
        dev.network,
        port=free_port(),
        name="invited",
        settings={"LATCHKEY_SIGNUP_ALLOW": "invited"},
    )
    laboratory = dev.beside(service)
    yield laboratory
    assert laboratory.leaks() == []
    laboratory.vault.database.close()


def test_disabled_account_is_out_everywhere_and_may_come_back(
    lab: Laboratory, member: Visitor, account: Account
) -> None:
    [grant] = lab.vault.oauth_sessions(account.did)
    lab.secrets.update(lab.vault.secrets())
    token = member.token
    assert token is not None
    assert {verified(lab, token) for _ in range(8)} == {200}

    done = lab.service.command("users", "disable", f"@{account.handle}", "--yes")

    assert done["sessions_ended"] == 1
    time.sleep(WITHIN)
    assert {verified(lab, token) for _ in range(8)} == {401}
    assert not is_alive(lab, grant)
    member.sign_in(account)
    assert member.error == "account_disabled"
    assert lab.vault.oauth_sessions(account.did) == []

    lab.service.command("users", "enable", name_of(account))
    member.sign_in(account)
    assert member.whoami()["did"] == account.did


def test_person_leaves_by_keyboard_and_proves_the_account_again(
    lab: Laboratory, member: Visitor, account: Account
) -> None:
    [grant] = lab.vault.oauth_sessions(account.did)
    lab.secrets.update(lab.vault.secrets())
    member.open("/auth/account")
    member.page.get_by_role("link", name="Leave").focus()
    member.page.keyboard.press("Enter")
    member.page.wait_for_url("**/auth/account/leave")
    member.page.get_by_label("type your username").focus()
    member.page.keyboard.type(name_of(account))
    member.page.keyboard.press("Enter")
    member.page.wait_for_url(f"{member.host_url}/**")
    shown = lab.service.command("users", "show", name_of(account))
    assert shown["did"] == account.did, "the account stays until it is proved"
    member.approve(account)
    member.page.get_by_role("heading", name="Goodbye").wait_for()

    assert member.token is None
    assert not is_alive(lab, grant)
    dump = next(text for name, text in lab.vault.contents() if name == "a dump")
    assert account.handle not in dump
    [told] = [line for line in dump.splitlines() if account.did in line]
    assert "deleted" in told, "services read for 30 days that it was deleted"


def test_deleted_person_signs_up_again_under_another_name(
    lab: Laboratory, member: Visitor, account: Account
) -> None:
    lab.service.command("users", "delete", name_of(account), "--yes")

    member.sign_in(account)
    assert member.path == "/auth/signup"
    member.choose_username(name_of(account))
    assert member.error == "username_taken"
    member.choose_username(f"b{secrets.token_hex(4)}")

    assert member.whoami()["did"] == account.did


def test_invitation_lets_one_newcomer_in(invited: Laboratory) -> None:
    first, second = invited.new_account(), invited.new_account()
    made = invited.service.command("invitations", "create")
    path = made["link"].removeprefix(invited.service.url)
    invited.secrets.add(made["link"].partition("code=")[2])

    with invited.visitor() as stranger:
        stranger.sign_in(first)
        assert stranger.error == "not_a_member"
    with invited.visitor() as guest:
        guest.open(path)
        assert guest.path == "/auth/login"
        guest.identify_as(first.handle)
        guest.approve(first)
        guest.choose_username(name_of(first))
        assert guest.whoami()["did"] == first.did
    with invited.visitor() as late:
        late.open(path)
        assert late.error == "not_a_member"
        late.sign_in(second)
        assert late.error == "not_a_member"
    assert invited.vault.oauth_sessions(second.did) == []
