"""The life of a session on the reference PDS: in the library, then in the service."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.atproto.errors import HostUnreachable, SessionEnded
from app.atproto.http.types import Deadline
from app.atproto.records import OAuthSession
from tests.e2e.laboratory import Laboratory
from tests.e2e.ledger import Grant, grants
from tests.e2e.relay import GET_SESSION, Desk, Relay
from tests.e2e.visitor import Visitor
from tests.lab.network import Account, Network

CALLERS = 12


@pytest.fixture
def desk(hasty: Network, tmp_path: Path) -> Desk:
    return Desk.at(hasty, f"sqlite:///{tmp_path}/relay.db")


@pytest.fixture
def relay(desk: Desk) -> Iterator[Relay]:
    with closing(Relay(desk)) as relay:
        yield relay


@pytest.fixture
def account(hasty: Network) -> Account:
    return hasty.create_account(f"s{secrets.token_hex(4)}")


@pytest.fixture
def session(relay: Relay, browser: Browser, account: Account) -> OAuthSession:
    return relay.sign_in(browser, account)


def ledger_of(network: Network, session: OAuthSession) -> Grant:
    (grant,) = grants(network, session.did)
    return grant


def let_it_end(session: OAuthSession) -> None:
    """Wait until the access token is over."""
    assert session.expires_at is not None
    time.sleep(max(session.expires_at - time.time(), 0) + 0.5)


# --- refreshes ------------------------------------------------------------------------


def test_a_token_is_used_while_it_lives_and_replaced_once_when_it_ends(
    hasty: Network, relay: Relay, session: OAuthSession
) -> None:
    """Requirement 7.12."""
    for _ in range(5):
        assert relay.whoami(session) == session.did
    assert ledger_of(hasty, session).refreshes == 0

    let_it_end(session)
    for _ in range(5):
        assert relay.whoami(session) == session.did

    grant, stored = ledger_of(hasty, session), relay.stored(session)
    assert grant.refreshes == 1
    assert stored is not None
    assert stored.refresh_token == grant.refresh_token
    assert stored.access_token != session.access_token


def test_many_callers_of_an_expired_token_make_one_refresh(
    hasty: Network, relay: Relay, session: OAuthSession
) -> None:
    """Requirement 7.6."""
    let_it_end(session)

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda _: relay.whoami(session), range(CALLERS)))

    assert answers == [session.did] * CALLERS
    assert ledger_of(hasty, session).refreshes == 1


def test_a_host_that_is_down_costs_no_session(
    hasty: Network, relay: Relay, session: OAuthSession
) -> None:
    """Requirements 7.16, 7.17: said as it is, and over when the host is back."""
    let_it_end(session)

    with hasty.processes.without("pds"), pytest.raises(HostUnreachable):
        relay.whoami(session)

    assert relay.stored(session) is not None
    assert relay.whoami(session) == session.did
    assert ledger_of(hasty, session).refreshes == 1


def test_the_next_process_goes_on_with_what_the_last_one_stored(
    hasty: Network, desk: Desk, relay: Relay, session: OAuthSession
) -> None:
    let_it_end(session)
    relay.whoami(session)
    relay.close()

    with closing(Relay(desk)) as next_one:
        assert next_one.whoami(session) == session.did
    assert ledger_of(hasty, session).refreshes == 1


# --- nonces ---------------------------------------------------------------------------


def test_a_nonce_that_one_process_learnt_serves_the_next(
    dev: Laboratory, tmp_path: Path
) -> None:
    """Requirements 5.7, 5.10: no challenge while the host takes it, which is a
    minute at least.
    """
    desk = Desk.at(dev.network, f"sqlite:///{tmp_path}/relay.db")
    with closing(Relay(desk)) as first:
        session = first.sign_in(dev.browser, dev.new_account())
        first.whoami(session)

    with closing(Relay(desk)) as second:
        assert second.whoami(session) == session.did

    assert second.http.log == [(GET_SESSION, 200)]


def test_a_nonce_that_is_too_old_costs_one_more_request(
    relay: Relay, session: OAuthSession
) -> None:
    """Requirement 5.8: at the token endpoint it does not burn the refresh token."""
    let_it_end(session)
    relay.http.log.clear()

    assert relay.whoami(session) == session.did

    answers = [status for path, status in relay.http.log if path == "/oauth/token"]
    assert answers == [400, 200]


# --- several, and their end -----------------------------------------------------------


def test_ending_one_device_leaves_the_other(
    hasty: Network, relay: Relay, browser: Browser, account: Account
) -> None:
    """Requirements 6.19, 7.19: proved by the host's own table."""
    first, second = (relay.sign_in(browser, account) for _ in range(2))
    assert len(grants(hasty, account.did)) == 2

    relay.client.revoke(first.did, first.session_id, deadline=Deadline.after(10))

    assert [one.refresh_token for one in grants(hasty, account.did)] == [
        second.refresh_token
    ]
    with pytest.raises(SessionEnded):
        relay.whoami(first)
    let_it_end(second)
    assert relay.whoami(second) == account.did


def test_a_grant_that_its_host_ended_is_said_to_be_over_once(
    hasty: Network, relay: Relay, browser: Browser, account: Account
) -> None:
    """Requirements 7.14, 7.17: another process revoked it, and this one still has
    the tokens.
    """
    session = relay.sign_in(browser, account)
    relay.client.revoke(session.did, session.session_id, deadline=Deadline.after(10))
    relay.sessions.put(session)

    with pytest.raises(SessionEnded) as ended:
        relay.whoami(session)

    assert ended.value.reason == "revoked"
    assert relay.stored(session) is None


# --- the service ----------------------------------------------------------------------


def test_a_session_that_another_replaces_is_revoked_at_the_host(
    lab: Laboratory, visitor: Visitor
) -> None:
    person = lab.new_account()
    visitor.become(person, person.handle.partition(".")[0])
    (first,) = lab.vault.oauth_sessions(person.did)

    visitor.sign_in(person, prompt="login")

    (second,) = lab.vault.oauth_sessions(person.did)
    assert first.session_id != second.session_id
    assert [one.refresh_token for one in grants(lab.network, person.did)] == [
        second.refresh_token
    ]


def test_a_session_outlives_a_restart_of_the_service(
    lab: Laboratory, visitor: Visitor
) -> None:
    """Signing out afterwards needs its tokens, its keys and the host's trust."""
    person = lab.new_account()
    visitor.become(person, person.handle.partition(".")[0])

    with lab.network.processes.without(lab.service.program.name):
        assert len(grants(lab.network, person.did)) == 1

    assert visitor.whoami()["did"] == person.did
    visitor.sign_out()
    assert grants(lab.network, person.did) == []
