"""`users disable` that stops half way: one transaction, and a next run that ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import pytest

from app.factory.container import open_parts
from app.factory.operator.people import people_of
from app.flows.operator import Operator
from tests.fakes.relying_party import RelyingParty
from tests.journeys.people.commands import events, runs
from tests.service import outside_of
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.flows.people import PeopleUseCases
    from tests.service import Service

BY = Operator("carol")
LIVE = "SELECT count(*) FROM sessions WHERE ended_at IS NULL"


class Killed:
    """Stands where the process is killed."""

    def __call__(self, **_: object) -> NoReturn:
        raise KeyboardInterrupt

    end_of = property(lambda self: lambda _did, **_: self())


@pytest.fixture
def people(service: Service) -> Iterator[PeopleUseCases]:
    """What the command works with, while one person is signed in to an app."""
    browser = signs_in(
        service, service.browser(), "alice.skyhost.social", username="alice"
    )
    app = RelyingParty.registered(service, "--trusted")
    app.tokens(app.code(app.sends(browser)))
    parts = open_parts(service.settings, outside_of(service.world, service.settings))
    yield people_of(parts)
    parts.stores.database.close()


@pytest.mark.parametrize("command", [("disable", "--yes"), ("enable",)])
def test_disable_that_stopped_before_the_sessions_is_finished_by_the_next_run(
    service: Service, people: PeopleUseCases, command: tuple[str, ...]
) -> None:
    killed = replace(people.accounts, sessions=Killed())
    with pytest.raises(KeyboardInterrupt):
        killed.disable(people.find("alice"), by=BY)
    assert service.rows("SELECT count(*) FROM provider_grants") == [(0,)]
    assert len(events(service, "account_disabled")) == 1
    assert len(events(service, "grant_ended")) == 1
    assert service.rows(LIVE) == [(1,)]

    runs(service, "users", command[0], "alice", *command[1:])

    assert service.rows(LIVE) == [(0,)]
    assert len(events(service, "account_disabled")) == 1


def test_disable_that_stopped_at_the_grants_has_changed_nothing(
    service: Service, people: PeopleUseCases
) -> None:
    killed = replace(people.accounts, end_grants=Killed())
    with pytest.raises(KeyboardInterrupt):
        killed.disable(people.find("alice"), by=BY)

    assert service.rows("SELECT disabled_at FROM users") == [(None,)]
    assert events(service, "account_disabled") == []
