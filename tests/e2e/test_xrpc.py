"""A page of the platform works in its visitor's repository, with the cookie alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.e2e.laboratory import Laboratory
from tests.e2e.test_logout import try_refresh
from tests.e2e.test_scope_upgrade import agree
from tests.e2e.visitor import Visitor
from tests.lab import sibling as sibling_service
from tests.lab.network import Account
from tests.lab.processes import get, session

TRACK = "app.relay.track"
SCOPE = f"repo:{TRACK} blob:image/*"
CREATE = "com.atproto.repo.createRecord"
UPLOAD = "com.atproto.repo.uploadBlob"
GET_SESSION = "com.atproto.server.getSession"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2_000_000)

TRY = """async ([url, options]) => {
    try {
        const answer = await fetch(url, { credentials: 'include', ...options })
        return { status: answer.status, type: answer.type }
    } catch (error) {
        return { failure: error.name }
    }
}"""


@dataclass
class Musician:
    """A person who signed in with little, and what they have published."""

    lab: Laboratory
    visitor: Visitor
    account: Account

    def url(self, nsid: str) -> str:
        return f"{self.lab.service.url}/auth/xrpc/{nsid}"

    def publishes(self) -> str:
        """Press the button of the studio; return what it says."""
        page = self.visitor.page
        page.goto(f"{sibling_service.URL}/studio")
        self.visitor.press("Publish")
        page.wait_for_function("document.querySelector('output').textContent")
        return page.inner_text("output")

    def allows_it(self) -> None:
        """Go where the service says, and agree at the host."""
        page = self.visitor.page
        way_out = page.get_attribute("output", "data-login-url")
        assert way_out is not None
        page.goto(f"{way_out}&return_to={sibling_service.URL}/studio")
        agree(self.visitor)
        self.visitor.approve(self.account)
        self.lab.secrets.update(self.lab.vault.secrets())

    def records(self) -> list[dict[str, Any]]:
        """Return what stands in the repository, as anybody can see."""
        asked = f"repo={self.account.did}&collection={TRACK}"
        url = f"{self.lab.network.pds_url}/xrpc/com.atproto.repo.listRecords?{asked}"
        records: list[dict[str, Any]] = get(url, ca=self.lab.network.ca).json()[
            "records"
        ]
        return records

    def calls(
        self, nsid: str, method: str = "GET", **options: Any
    ) -> requests.Response:
        """Call as a program does."""
        given = {"Authorization": f"Bearer {self.visitor.token}"}
        with session(self.lab.network.ca) as http:
            headers = {**given, **options.pop("headers", {})}
            url = self.url(nsid)
            return http.request(method, url, headers=headers, timeout=30, **options)


@pytest.fixture
def musician(sibling: str, prod_like: Laboratory) -> Iterator[Musician]:
    account = prod_like.new_account()
    with prod_like.visitor() as visitor:
        visitor.become(account, account.handle.partition(".")[0])
        prod_like.secrets.update(prod_like.vault.secrets())
        yield Musician(prod_like, visitor, account)


@pytest.fixture
def allowed(musician: Musician) -> Musician:
    """A person whose host lets the platform publish tracks."""
    musician.visitor.open_login(scope=SCOPE, return_to="/auth/account")
    agree(musician.visitor)
    musician.visitor.approve(musician.account)
    musician.lab.secrets.update(musician.lab.vault.secrets())
    return musician


def test_a_sibling_page_asks_for_a_permission_and_publishes(musician: Musician) -> None:
    """Requirement 8.11: refused by the real host first, and the way out leads there."""
    assert musician.publishes() == "permission_missing"
    musician.allows_it()
    uri = musician.publishes()
    if uri == "permission_missing":  # the upload was allowed, the record comes next
        musician.allows_it()
        uri = musician.publishes()

    [record] = musician.records()
    assert record["uri"] == uri
    assert record["value"]["title"] == "Blue"
    assert record["value"]["cover"]["size"] == 3_000_000


def test_a_page_of_another_site_causes_nothing(allowed: Musician) -> None:
    """Neither a call that it could read, nor one that it could not."""
    page = allowed.visitor.page
    body = f'{{"repo":"{allowed.account.did}","collection":"{TRACK}","record":{{}}}}'
    page.goto(f"{allowed.lab.network.pds_url}/xrpc/_health")

    tries = [
        {
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": body,
        },
        {"method": "POST", "mode": "no-cors", "body": body},
        {"method": "GET"},
        {"method": "GET", "mode": "no-cors"},
    ]
    answers = [page.evaluate(TRY, [allowed.url(CREATE), one]) for one in tries]

    assert [one.get("failure") for one in (answers[0], answers[2])] == ["TypeError"] * 2
    assert [one.get("type") for one in (answers[1], answers[3])] == ["opaque"] * 2
    assert allowed.records() == []


def test_a_link_of_another_site_causes_nothing(allowed: Musician) -> None:
    visitor = allowed.visitor
    visitor.page.goto(f"{allowed.lab.network.pds_url}/xrpc/_health")
    with visitor.page.expect_navigation():
        visitor.page.evaluate("(url) => { location = url }", allowed.url(GET_SESSION))

    assert "cross_site" in visitor.page.inner_text("body")


def test_a_program_uploads_and_writes_with_a_bearer_token(allowed: Musician) -> None:
    image = {"Content-Type": "image/png"}
    uploaded = allowed.calls(UPLOAD, "POST", data=PNG, headers=image)
    blob = uploaded.json()["blob"]
    record = {"$type": TRACK, "title": "Green", "cover": blob}
    body = {"repo": allowed.account.did, "collection": TRACK, "record": record}

    written = allowed.calls(CREATE, "POST", json=body)

    assert (uploaded.status_code, written.status_code) == (200, 200)
    assert written.headers["Latchkey-Source"] == "pds"
    assert [one["uri"] for one in allowed.records()] == [written.json()["uri"]]
    cid = blob["ref"]["$link"]
    found = allowed.calls(
        f"com.atproto.sync.getBlob?did={allowed.account.did}&cid={cid}"
    )
    assert found.content == PNG
    assert found.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in found.headers["Content-Security-Policy"]


def test_what_is_not_named_never_reaches_the_host(allowed: Musician) -> None:
    other = {
        "repo": allowed.account.did,
        "collection": "app.bsky.feed.post",
        "record": {},
    }

    answers = [
        allowed.calls("com.atproto.server.deleteAccount", "POST", json={}),
        allowed.calls(CREATE, "POST", json=other),
        allowed.calls(CREATE, "POST", json={**other, "repo": "did:plc:another"}),
    ]

    assert [one.status_code for one in answers] == [403] * 3
    assert {one.json()["error"] for one in answers} == {"call_not_allowed"}


def test_a_session_that_its_host_ended_is_connected_again(allowed: Musician) -> None:
    """Requirement 7.18: the platform's own sign-in is as good as before."""
    [grant] = allowed.lab.vault.oauth_sessions(allowed.account.did)
    for _ in range(2):  # the host takes a refresh token that comes twice for a theft
        answer = try_refresh(allowed.lab, grant).json()
        allowed.lab.secrets.add(answer.get("access_token", grant.access_token))

    refused = allowed.calls(GET_SESSION)
    allowed.visitor.page.goto(refused.json()["login_url"])
    agree(allowed.visitor)
    allowed.visitor.approve(allowed.account)
    allowed.lab.secrets.update(allowed.lab.vault.secrets())

    assert (refused.status_code, refused.json()["error"]) == (401, "reconnect")
    assert allowed.calls(GET_SESSION).status_code == 200
