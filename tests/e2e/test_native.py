"""An app signs in through the browser, against the reference PDS: yes and no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.e2e.laboratory import Laboratory
from tests.e2e.test_logout import try_refresh
from tests.e2e.visitor import Visitor
from tests.lab.network import Account
from tests.lab.processes import session

PATIENCE = 30.0


@pytest.fixture
def http(lab: Laboratory) -> Iterator[requests.Session]:
    with session(lab.network.ca) as opened:
        yield opened


def initiate(lab: Laboratory, http: requests.Session, account: Account) -> Any:
    """Begin a login as an app does; its secret is searched for afterwards."""
    answer = http.post(
        f"{lab.service.url}/auth/native/login",
        json={"identifier": account.handle, "app_name": "Sketch"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 201, answer.text
    lab.secrets.add(answer.json()["session_id"])
    return answer.json()


def open_stream(
    lab: Laboratory, http: requests.Session, begun: Any
) -> requests.Response:
    return http.get(
        f"{lab.service.url}/auth/native/login/{begun['session_id']}/await",
        headers={"Accept": "text/event-stream"},
        stream=True,
        timeout=PATIENCE,
    )


def events(stream: requests.Response) -> Iterator[dict[str, Any]]:
    """Yield what the stream says, as it says it."""
    for line in stream.iter_lines(chunk_size=1):
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def follow(visitor: Visitor, begun: Any, account: Account) -> None:
    visitor.page.goto(begun["oauth_url"])
    visitor.approve(account)


def test_an_app_that_is_let_in_gets_a_token_that_works(
    lab: Laboratory, visitor: Visitor, account: Account, http: requests.Session
) -> None:
    begun = initiate(lab, http, account)
    with open_stream(lab, http, begun) as stream:
        heard = events(stream)
        assert next(heard) == {"status": "pending"}

        follow(visitor, begun, account)
        visitor.choose_username(account.handle.partition(".")[0])
        assert visitor.path == "/auth/native/confirm"
        assert begun["user_code"] in visitor.page.inner_text("main")
        visitor.press("Allow")
        completed = next(heard)

    lab.secrets.add(completed["token"])
    assert completed["status"] == "completed"
    assert completed["did"] == account.did
    assert visitor.token is None
    answer = http.get(
        f"{lab.service.url}/auth/session",
        headers={"Authorization": f"Bearer {completed['token']}"},
        timeout=PATIENCE,
    )
    assert answer.json()["did"] == account.did


def test_denied_app_gets_denied_and_no_grant(
    lab: Laboratory, visitor: Visitor, account: Account, http: requests.Session
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    mine = visitor.token
    begun = initiate(lab, http, account)
    with open_stream(lab, http, begun) as stream:
        heard = events(stream)
        next(heard)

        follow(visitor, begun, account)
        visitor.press("Don't allow")

        assert next(heard) == {"status": "denied"}
    assert visitor.heading == "Access denied"
    assert visitor.token == mine
    assert len(lab.vault.oauth_sessions(account.did)) == 1


def test_an_app_that_signs_out_leaves_no_grant_at_the_host(
    lab: Laboratory, visitor: Visitor, account: Account, http: requests.Session
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    [browsers] = lab.vault.oauth_sessions(account.did)
    begun = initiate(lab, http, account)
    with open_stream(lab, http, begun) as stream:
        follow(visitor, begun, account)
        visitor.press("Allow")
        *_, completed = events(stream)
    lab.secrets.update(lab.vault.secrets(), {completed["token"]})
    held = {one.access_token: one for one in lab.vault.oauth_sessions(account.did)}
    [apps] = [one for token, one in held.items() if token != browsers.access_token]
    bearer = {"Authorization": f"Bearer {completed['token']}"}

    ended = http.delete(
        f"{lab.service.url}/auth/session", headers=bearer, timeout=PATIENCE
    )

    assert ended.status_code == 204
    answer = try_refresh(lab, apps)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert visitor.whoami()["did"] == account.did
