"""Signing out, proved at the host: the refresh token no longer works."""

from __future__ import annotations

import requests

from app.atproto.records import OAuthSession
from tests.e2e.grant import refresh
from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import Account
from tests.lab.processes import session


def try_refresh(lab: Laboratory, grant: OAuthSession) -> requests.Response:
    key = lab.vault.client_key() if lab.client_authenticates else None
    return refresh(grant, client_key=key, ca=lab.network.ca)


def test_logout_revokes_the_grant_at_the_host(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    [grant] = lab.vault.oauth_sessions(account.did)
    lab.secrets.update(lab.vault.secrets())

    visitor.sign_out()

    answer = try_refresh(lab, grant)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert lab.vault.oauth_sessions(account.did) == []


def test_grant_that_was_not_revoked_can_be_refreshed(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    # Without this the test above could pass because of a mistake in its refresh.
    visitor.become(account, account.handle.partition(".")[0])
    [grant] = lab.vault.oauth_sessions(account.did)

    answer = try_refresh(lab, grant)

    assert answer.status_code == 200
    lab.secrets.update({answer.json()["access_token"], answer.json()["refresh_token"]})


def test_logout_of_one_device_leaves_the_other_signed_in(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    [first] = lab.vault.oauth_sessions(account.did)

    with lab.visitor() as other_device:
        other_device.sign_in(account)
        other_device.sign_out()

    assert visitor.whoami()["did"] == account.did
    assert try_refresh(lab, first).status_code == 200


def test_logout_takes_both_cookies_and_ends_the_token(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    token = visitor.token

    visitor.sign_out()

    assert visitor.heading == "You are signed out"
    assert visitor.token is None
    assert not [name for name in visitor.cookies() if name.endswith("latchkey-session")]
    with session(lab.network.ca) as http:
        answer = http.get(
            f"{lab.service.url}/auth/session",
            headers={"Authorization": f"Bearer {token}"},
        )
    assert answer.status_code == 401


def test_logout_link_on_another_site_asks_first(
    visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])

    visitor.be_sent_from_another_site("/auth/logout")

    assert visitor.heading == "Sign out of Meadow?"
    assert visitor.whoami()["did"] == account.did
    visitor.press("Sign out")
    visitor.page.wait_for_load_state()
    assert visitor.heading == "You are signed out"


def test_logout_without_a_session_answers(visitor: Visitor) -> None:
    visitor.open("/auth/logout")

    assert visitor.heading == "You are signed out"
