"""POST /auth/login: the pushed authorization request and what it is checked for."""

from __future__ import annotations

import pytest

from app.atproto.errors import IdentifierInvalid
from app.atproto.syntax.identifier import parse_identifier
from app.flows.errors import PromptRefused, ScopeRefused, TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.login.client_refusals import ClientRefusals
from app.flows.login.destination import Destination
from app.flows.login.scope_requests import Permissions
from app.flows.login.start import StartLogin
from tests.stores.samples import ALICE, BOB, session

PHONE = "203.0.113.7"
HOST = "https://pds.test"


@pytest.fixture
def start_login(client, limits, sessions):
    return StartLogin(
        refusals=ClientRefusals(is_known=lambda _host: True, clock=lambda: 0.0),
        client=client,
        limits=limits,
        sessions=sessions,
        permissions=Permissions(scope="atproto", declared="atproto account:email"),
        redirect_uri="https://app.test/auth/callback",
        read_identifier=lambda text: parse_identifier(text, allow_test=True),
        signup_hosts=(HOST,),
        concurrency=ConcurrencyLimit("logins", total=1, retry_after=5),
    )


def test_start_pushes_the_destination_and_a_new_secret(start_login, client, limits):
    started = start_login(
        Destination(identifier="alice.test", return_to="/next"), address=PHONE
    )

    [pushed] = client.pushed
    assert Destination.unpack(pushed["app_state"]).return_to == "/next"
    assert pushed["browser_secret"] == started.secret
    assert len(started.secret) == 43
    assert limits.hits == [("address", PHONE)]


def test_start_counts_the_address_before_it_reads_the_identifier(start_login, limits):
    with pytest.raises(IdentifierInvalid):
        start_login(Destination(identifier="not a handle"), address=PHONE)

    assert limits.hits == [("address", PHONE)]


def test_start_above_the_rate_limit_pushes_nothing(start_login, limits, client):
    limits.refusal = TooManyRequests("address", retry_after=3)

    with pytest.raises(TooManyRequests):
        start_login(Destination(identifier="alice.test"), address=PHONE)

    assert client.pushed == []


@pytest.mark.parametrize("prompt", ["none", "unknown", "create"])
def test_start_with_a_refused_prompt_raises_prompt_refused(start_login, prompt):
    asked = Destination(identifier="alice.test", prompt=prompt)

    with pytest.raises(PromptRefused):
        start_login(asked, address=PHONE)


def test_start_with_create_at_a_signup_host_pushes_the_prompt(start_login, client):
    asked = Destination(identifier=HOST, prompt="create")

    start_login(asked, address=PHONE)

    assert client.pushed[0]["prompt"] == "create"


def test_start_with_a_scope_beyond_scope_max_raises_scope_refused(start_login):
    asked = Destination(identifier="alice.test", scope="repo:app.test.record")

    with pytest.raises(ScopeRefused):
        start_login(asked, address=PHONE)


@pytest.mark.parametrize(
    ("did", "upgrades", "scope"),
    [(ALICE, "sid-1", "atproto account:email"), (BOB, "", "atproto")],
)
def test_start_asks_for_the_granted_scope_of_the_same_person(
    start_login, sessions, client, did, upgrades, scope
):
    held = session(did=did, handle=None, scope="atproto account:email")
    sessions.add(held, secret="cookie")

    start_login(Destination(identifier=ALICE), address=PHONE, replaces="cookie")

    [pushed] = client.pushed
    assert Destination.unpack(pushed["app_state"]).upgrades == upgrades
    assert pushed["scope"] == scope


def test_start_while_too_many_logins_wait_raises_too_many_requests(start_login, client):
    with start_login.concurrency.hold(), pytest.raises(TooManyRequests):
        start_login(Destination(identifier="alice.test"), address=PHONE)

    assert client.pushed == []
