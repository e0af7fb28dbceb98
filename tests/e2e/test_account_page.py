"""The account page against the real host: each thing that a person can do there."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import jwt
import pytest
import requests
from playwright.sync_api import Page, expect

from app.atproto.records import OAuthSession
from tests.e2e import host
from tests.e2e.laboratory import Laboratory, find
from tests.e2e.ledger import grants
from tests.e2e.test_logout import try_refresh
from tests.e2e.test_scope_upgrade import agree
from tests.e2e.visitor import Visitor
from tests.lab.network import Account
from tests.lab.processes import session

TRACK = "app.relay.track"
SCOPE = f"repo:{TRACK} blob:image/*"
CREATE = "com.atproto.repo.createRecord"
GET_SESSION = "com.atproto.server.getSession"
UPLOAD = "com.atproto.repo.uploadBlob"


@pytest.fixture
def lab(prod_like: Laboratory) -> Laboratory:
    """PROD-LIKE alone: the account page asks nothing that DEV answers otherwise."""
    return prod_like


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.page


def name_of(account: Account) -> str:
    return account.handle.partition(".")[0]


def claims(visitor: Visitor) -> dict[str, str]:
    """Return what a service of the platform reads in the token of the browser."""
    assert visitor.token is not None
    read: dict[str, str] = jwt.decode(
        visitor.token, options={"verify_signature": False}
    )
    return read


def noticed(page: Page, words: str) -> None:
    """Wait for the notice of what was done."""
    expect(page.locator("#notice")).to_contain_text(words)


def only_grant(lab: Laboratory, account: Account) -> OAuthSession:
    """Return the one grant that we hold, and note its secrets."""
    lab.secrets.update(lab.vault.secrets())
    [grant] = lab.vault.oauth_sessions(account.did)
    return grant


# --- the username and the devices -----------------------------------------------------


def test_rename_is_seen_on_each_device_and_the_former_name_is_held(
    lab: Laboratory, visitor: Visitor, account: Account, page: Page
) -> None:
    former, current = name_of(account), f"b{secrets.token_hex(4)}"
    visitor.become(account, former)
    with lab.visitor() as phone:
        phone.sign_in(account)
        rename(visitor, current)
        assert claims(visitor)["username"] == visitor.whoami()["username"] == current
        phone.open("/auth/account")
        assert claims(phone)["username"] == current
        check_held(lab, former)

        phone.press("Sign out everywhere else")
        noticed(phone.page, "Only this device is still signed in.")

    visitor.open("/auth/account")
    assert visitor.path == "/auth/login"
    noticed(page, "You were signed out here")
    noticed(page, "It was done from Chrome on Linux on")
    assert len(grants(lab.network, account.did)) == 1
    visitor.open_login()
    expect(page.locator("#notice")).to_have_count(0)


def rename(visitor: Visitor, username: str) -> None:
    """Change the username on the account page, and wait until it is changed."""
    visitor.open("/auth/account")
    page = visitor.page
    page.get_by_text("Change your username").click()
    page.get_by_label("New username").press_sequentially(username)
    expect(page.locator("#username-check")).to_have_text(f"{username} is free.")
    visitor.press("Change my username")
    noticed(page, f"Your username is {username} now")


def check_held(lab: Laboratory, former: str) -> None:
    """Let a newcomer try a former name, and read what is said while they type."""
    newcomer = lab.new_account()
    with lab.visitor() as visitor:
        visitor.sign_in(newcomer)
        said = visitor.page.locator("#username-check")
        for typed, state in (
            (former, "This name is taken."),
            ("admin", "This name is reserved."),
            ("al ice", "Only letters from a to z"),
            (name_of(newcomer), f"{name_of(newcomer)} is free."),
        ):
            visitor.page.get_by_label("Username on").fill(typed)
            expect(said).to_contain_text(state)
        visitor.choose_username(former)
        assert visitor.error == "username_taken"
        visitor.choose_username(name_of(newcomer))
        assert visitor.whoami()["did"] == newcomer.did


# --- the handle and the events --------------------------------------------------------


def move_handle(lab: Laboratory, account: Account) -> str:
    """Change the handle at the host, as its person does there; return the new one."""
    moved = f"c{secrets.token_hex(4)}.{lab.network.handle_domain}"
    xrpc = f"{lab.network.pds_url}/xrpc/com.atproto"
    with session(lab.network.ca) as http:
        password = {"identifier": account.did, "password": account.password}
        opened = http.post(f"{xrpc}.server.createSession", json=password, timeout=30)
        owner = {"Authorization": f"Bearer {opened.json()['accessJwt']}"}
        changed = http.post(
            f"{xrpc}.identity.updateHandle",
            json={"handle": moved},
            headers=owner,
            timeout=30,
        )
    assert changed.status_code == 200, changed.text
    lab.network.dns.names.publish(moved, account.did)
    return moved


def test_handle_that_changed_at_the_host_is_looked_up_again(
    lab: Laboratory, visitor: Visitor, account: Account, page: Page
) -> None:
    visitor.become(account, name_of(account))
    moved = move_handle(lab, account)
    visitor.open("/auth/account")
    assert account.handle in page.inner_text("dl")

    visitor.press("Look it up now")

    noticed(page, f"Your handle is {moved}.")
    assert visitor.whoami()["handle"] == moved
    page.get_by_role("link", name="All events").click()
    events = page.locator("main li")
    expect(events).to_have_count(3)
    expect(events.nth(0)).to_contain_text(
        f"Handle changed: {account.handle} is now {moved}"
    )
    expect(events.nth(1)).to_contain_text("Joined Meadow")
    expect(events.nth(2)).to_contain_text("Signed in")


# --- what the platform may do at the host ---------------------------------------------


def calls(
    lab: Laboratory,
    visitor: Visitor,
    nsid: str,
    method: str = "POST",
    type: str = "application/json",
    **options: object,
) -> requests.Response:
    """Call the host through us, as a service of the platform does."""
    headers = {"Authorization": f"Bearer {visitor.token}"}
    if method == "POST":
        headers["Content-Type"] = type
    return lab.ask(f"/auth/xrpc/{nsid}", method=method, headers=headers, **options)


def publishes(lab: Laboratory, visitor: Visitor, account: Account) -> int:
    record = {"$type": TRACK, "title": "Blue"}
    body = {"repo": account.did, "collection": TRACK, "record": record}
    return calls(lab, visitor, CREATE, json=body).status_code


@pytest.fixture
def permitted(lab: Laboratory, visitor: Visitor, account: Account) -> Visitor:
    """A person who lets the platform publish tracks and upload images."""
    visitor.sign_in(account, scope=SCOPE, return_to="/auth/account")
    visitor.choose_username(name_of(account))
    lab.secrets.update(lab.vault.secrets())
    return visitor


def test_permission_taken_back_ends_at_the_host(
    lab: Laboratory, permitted: Visitor, account: Account, page: Page
) -> None:
    before = only_grant(lab, account)
    assert publishes(lab, permitted, account) == 200
    page.get_by_role("listitem").filter(has_text="upload images").get_by_role(
        "button", name="Take back"
    ).last.click()
    page.wait_for_url(f"{permitted.host_url}/oauth/authorize?*")
    assert grants(lab.network, account.did) == [], "revoked before it is asked again"
    permitted.approve(account)

    assert permitted.path == "/auth/account"
    narrow = only_grant(lab, account)
    assert "blob" not in (narrow.scope or "")
    assert try_refresh(lab, before).json()["error"] == "invalid_grant"
    assert publishes(lab, permitted, account) == 200
    refused = calls(lab, permitted, UPLOAD, data=b"\x89PNG\r\n\x1a\n", type="image/png")
    assert refused.json()["error"] == "permission_missing", refused.text

    permitted.press("Take back")

    noticed(page, "Meadow has given up its access there")
    assert grants(lab.network, account.did) == []
    assert calls(lab, permitted, GET_SESSION, "GET").json()["error"] == "reconnect"
    assert permitted.whoami()["did"] == account.did


def test_access_revoked_at_the_host_is_told_and_connected_again(
    lab: Laboratory, permitted: Visitor, account: Account, page: Page
) -> None:
    with at_the_host(permitted, account) as settings:
        settings.get_by_role("button", name="Revoke access").last.click()
        expect(settings.get_by_text("Details")).to_have_count(0)
    assert grants(lab.network, account.did) == []
    refused = calls(lab, permitted, GET_SESSION, "GET")
    assert (refused.status_code, refused.json()["error"]) == (401, "reconnect")

    permitted.open("/auth/account")
    lost = page.get_by_text("Meadow has no access to your account at your host")
    expect(lost).to_be_visible()
    page.get_by_role("link", name="Connect again").click()
    agree(permitted)
    permitted.approve(account)

    assert permitted.path == "/auth/account"
    expect(lost).to_have_count(0)
    assert calls(lab, permitted, GET_SESSION, "GET").status_code == 200


@contextmanager
def at_the_host(visitor: Visitor, account: Account) -> Iterator[Page]:
    """Open what a person sees at their host of the platform's access."""
    settings = visitor.context.new_page()
    settings.goto(f"{visitor.host_url}/account")
    host.sign_in_from_welcome(settings, account)
    settings.get_by_role("link", name="Apps", exact=True).click()
    settings.get_by_role("button", name="Details").click()
    yield settings
    settings.close()


# --- the accounts and the devices of a person -----------------------------------------


def test_two_accounts_of_a_browser_are_switched_and_kept_apart(
    lab: Laboratory, visitor: Visitor, account: Account, page: Page
) -> None:
    second = lab.new_account()
    visitor.become(account, name_of(account))
    page.get_by_role("link", name="Use an account that is not listed").click()
    visitor.identify_as(second.handle)
    visitor.approve(second)
    visitor.choose_username(name_of(second))
    assert grants(lab.network, account.did) == [], "one account at a time"

    page.get_by_role("button", name=account.handle).click()
    visitor.approve(account)

    assert visitor.whoami()["did"] == account.did
    assert grants(lab.network, second.did) == []
    check_download(lab, visitor, account, other=second)
    visitor.sign_out()
    visitor.open_login()
    used = page.get_by_role("region", name="Used on this device")
    expect(used).to_contain_text(second.handle)
    expect(used).not_to_contain_text(account.handle)


def check_download(
    lab: Laboratory, visitor: Visitor, account: Account, *, other: Account
) -> None:
    """Download what is stored: the person's own, no secret, nothing of others."""
    with visitor.page.expect_download() as started:
        visitor.press("Download what is stored about me")
    text = started.value.path().read_text()
    stored = json.loads(text)

    assert started.value.suggested_filename == "account.json"
    assert (stored["did"], stored["cut"]) == (account.did, [])
    [user] = stored["account"]
    assert (user["username"], user["handle"]) == (name_of(account), account.handle)
    assert stored["sessions"][0]["sid"] == visitor.whoami()["session_id"]
    assert [one["pds"] for one in stored["access_at_hosts"]] == [lab.network.pds_url]
    assert {"signed_in", "signed_up"} <= {one["event"] for one in stored["events"]}
    lab.secrets.update([*lab.vault.secrets(), *visitor.secrets()])
    assert find(lab.secrets | {other.did, other.handle}, [("it", text)]) == []
