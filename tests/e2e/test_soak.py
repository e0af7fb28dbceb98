"""Sessions under constant use, with tokens that live for seconds: none is lost.

Short in every run, `make soak` takes its time (SOAK_SECONDS for each database).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.atproto.records import OAuthSession
from tests.e2e.conftest import TOKEN_LIFE
from tests.e2e.ledger import Grant, grants
from tests.e2e.relay import Desk, Relay
from tests.e2e.soak import CHALLENGES, PROCESSES, REFRESHES, THREADS, soak
from tests.lab.network import Network
from tests.stores.cluster import postgresql

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
DEVICES = 3
CALLS_PER_SECOND = 2
"""Far less than a slow machine makes: the soak shall have been one."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/relay.db"
    else:
        with postgresql() as url:
            yield url


def test_sessions_outlive_a_soak(
    hasty: Network,
    browser: Browser,
    database_url: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = request.node.callspec.id
    account = hasty.create_account(f"soak-{name}")
    desk = Desk.at(hasty, database_url)
    with closing(Relay(desk)) as relay:
        sessions = [relay.sign_in(browser, account) for _ in range(DEVICES)]

        counted = soak(desk, sessions, seconds=SECONDS)

        with capsys.disabled():
            tell(name, counted)
        judge(counted, relay, sessions, grants(hasty, account.did))


def judge(
    counted: Counter[str],
    relay: Relay,
    sessions: Sequence[OAuthSession],
    ledger: Sequence[Grant],
) -> None:
    """Every call was answered, both sides counted the same, and all goes on."""
    calls = counted["reads answered 200"] + counted["writes answered 200"]
    assert counted.keys() <= {
        "reads answered 200",
        "writes answered 200",
        REFRESHES,
        CHALLENGES,
    }
    assert calls > SECONDS * CALLS_PER_SECOND
    assert counted[REFRESHES] > SECONDS / TOKEN_LIFE
    assert sum(grant.refreshes for grant in ledger) == counted[REFRESHES]
    assert {grant.refresh_token for grant in ledger} == {
        stored(relay, session).refresh_token for session in sessions
    }
    assert [relay.whoami(one) for one in sessions] == [one.did for one in sessions]


def stored(relay: Relay, session: OAuthSession) -> OAuthSession:
    found = relay.stored(session)
    assert found is not None
    return found


def tell(database: str, counted: Counter[str]) -> None:
    print(
        f"\nA soak of {SECONDS:.0f} s on {database}: {PROCESSES} processes with"
        f" {THREADS} threads, {DEVICES} sessions, tokens of {TOKEN_LIFE} s"
    )
    for what, times in sorted(counted.items()):
        print(f"  {times:>7} {what}")
