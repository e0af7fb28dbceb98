"""kill -9 in the middle of an app's refresh signs no app out, on both databases."""

from __future__ import annotations

import pytest

from app.flows.errors import RefreshRefused
from app.flows.sessions.rotation import GRACE, first_token
from app.stores.people.refresh_chains import SqlRefreshChains
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from tests.stores.people.refresh_racers import STEPS, killed_at, refreshing
from tests.stores.samples import session, user

pytestmark = pytest.mark.process

ADDRESS = "192.0.2.7"


@pytest.fixture
def token(database, clock):
    """The refresh token of an app that is signed in."""
    SqlUsers(database).add(user(), skeleton="allce")
    SqlSessions(database, clock).add(session(app_name="Sketch"), secret="secret-1")
    chains = SqlRefreshChains(database, clock)
    chains.begin("sid-1", first_token(), opener="await", now=clock())
    return chains.first("sid-1", opener="await")


@pytest.mark.parametrize("step", STEPS)
def test_app_whose_refresh_was_killed_is_signed_in_after_a_retry(
    database, database_url, clock, token, step
):
    assert killed_at(step, database_url, token)
    clock.advance(GRACE)
    refresh = refreshing(database, clock)

    retried = refresh(token, address=ADDRESS)
    again = refresh(retried.refresh_token, address=ADDRESS)

    assert retried.token == again.token == "token of sid-1 for alice"
    assert again.refresh_token not in {token, retried.refresh_token}


def test_retry_after_the_grace_ends_the_session_if_the_token_was_replaced(
    database, database_url, clock, token
):
    assert killed_at("before answer", database_url, token)
    clock.advance(GRACE + 1)

    with pytest.raises(RefreshRefused):
        refreshing(database, clock)(token, address=ADDRESS)


def test_process_that_is_not_killed_ends_by_itself(database_url, token):
    assert not killed_at("no such step", database_url, token)
