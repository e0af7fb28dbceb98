"""Asking for more later, proved at the host: which grant still works (requirement
8.10).
"""

from __future__ import annotations

from app.atproto.scopes.scope import ScopeSet
from tests.e2e import host
from tests.e2e.laboratory import Laboratory
from tests.e2e.test_logout import try_refresh
from tests.e2e.visitor import Visitor
from tests.lab.network import Account

TRACK = "repo:app.relay.track"
BACK = "/auth/account?from=tracks"


def become(lab: Laboratory, visitor: Visitor, account: Account) -> None:
    """Sign in with little, and note the secrets to search for afterwards."""
    visitor.become(account, account.handle.partition(".")[0])
    assert visitor.whoami()["scope"] == "atproto"
    lab.secrets.update(lab.vault.secrets())


def agree(visitor: Visitor) -> None:
    """Press the one button of the page that asks."""
    visitor.page.get_by_role("button", name="Continue at").click()
    visitor.page.wait_for_url(f"{visitor.host_url}/oauth/authorize?*")


def test_an_upgrade_gives_a_wider_session_and_ends_the_old_one(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    become(lab, visitor, account)
    [little] = lab.vault.oauth_sessions(account.did)
    visitor.open_login(scope=TRACK, return_to=BACK)
    assert "public records of app.relay.track" in visitor.page.inner_text("main")

    agree(visitor)
    visitor.approve(account)

    assert visitor.page.url == lab.service.url + BACK
    assert ScopeSet.parse(visitor.whoami()["scope"]).allows(TRACK)
    [wide] = lab.vault.oauth_sessions(account.did)
    lab.secrets.update(lab.vault.secrets())
    refused = try_refresh(lab, little)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    refreshed = try_refresh(lab, wide)
    assert refreshed.status_code == 200
    assert ScopeSet.parse(refreshed.json()["scope"]).allows(TRACK)
    lab.secrets.update({refreshed.json()[k] for k in ("access_token", "refresh_token")})


def test_what_is_granted_leads_straight_back(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    become(lab, visitor, account)
    visitor.open_login(scope=TRACK, return_to=BACK)
    agree(visitor)
    visitor.approve(account)

    visitor.open_login(scope=f"{TRACK}?action=create", return_to=BACK)

    assert visitor.page.url == lab.service.url + BACK


def test_an_upgrade_that_is_denied_at_the_host_leaves_the_old_session(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    become(lab, visitor, account)
    [little], token = lab.vault.oauth_sessions(account.did), visitor.token
    visitor.open_login(scope=TRACK, return_to=BACK)

    agree(visitor)
    host.sign_in(visitor.page, account)
    host.deny(visitor.page)
    visitor.come_back()

    assert visitor.page.url == lab.service.url + BACK
    assert visitor.whoami()["scope"] == "atproto"
    assert visitor.token is not None
    assert token is not None
    [kept] = lab.vault.oauth_sessions(account.did)
    assert kept.session_id == little.session_id
    lab.secrets.add(token)
    answer = try_refresh(lab, kept)
    assert answer.status_code == 200
    lab.secrets.update({answer.json()[k] for k in ("access_token", "refresh_token")})


def test_an_upgrade_that_is_declined_here_never_reaches_the_host(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    become(lab, visitor, account)
    visitor.open_login(scope=TRACK, return_to=BACK)
    seen = len(visitor.responses)

    visitor.page.get_by_role("button", name="Not now").click()
    visitor.page.wait_for_url(f"**{BACK}")

    assert visitor.whoami()["scope"] == "atproto"
    hosts = {
        response.url.startswith(visitor.host_url)
        for response in visitor.responses[seen:]
    }
    assert hosts == {False}
