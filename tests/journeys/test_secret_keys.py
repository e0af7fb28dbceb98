"""A new SECRET_KEY: replaced, every row encrypted again, and the old one taken out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.config import Settings
from app.factory.start import report_missing_keys
from tests.fakes.world import World
from tests.journeys.test_keys import calls, reads, runs
from tests.service import SECRET_KEY, Service, close, production
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.browser import Browser

ALICE = "alice.skyhost.social"
NEW_KEY = bytes(range(32, 64))


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def restarted(service: Service) -> Iterator[Callable[..., Service]]:
    """Start the service again with other settings, on the same database."""
    opened: list[Service] = []

    def restart(**changes: Any) -> Service:
        path = Path(service.settings.database_url.removeprefix("sqlite:///"))
        settings = Settings(**{**production(path), **changes})
        opened.append(Service(service.world, settings))
        return opened[-1]

    yield restart
    for one in opened:
        close(one.app)


def test_secret_key_is_replaced_and_no_person_notices(
    alice: Browser, world: World, restarted: Callable[..., Service]
) -> None:
    at_host = restarted().browser().opens_login().types("rosies.garden")

    both = restarted(secret_key=NEW_KEY, secret_key_fallbacks=(SECRET_KEY,))
    (new, old) = reads(both, "secrets", "status")
    assert (new["rows"], old["setting"]) == (
        0,
        "LATCHKEY_SECRET_KEY_FALLBACKS, number 1",
    )
    (done,) = reads(both, "secrets", "reseal")
    assert (done["resealed"], done["unreadable"], done["left"]) == (old["rows"], 0, 0)

    alone = restarted(secret_key=NEW_KEY)
    world.clock.advance(3_600 - 60)
    assert at_host.approves().chooses("rosie").status == 200
    assert alice.is_signed_in()
    calls(alone)
    assert [one["rows"] > 0 for one in reads(alone, "secrets", "status")] == [True]


def test_reseal_says_what_it_did_in_the_audit(
    alice: Browser, service: Service, restarted: Callable[..., Service]
) -> None:
    both = restarted(secret_key=NEW_KEY, secret_key_fallbacks=(SECRET_KEY,))

    runs(both, "secrets", "reseal", "--reason", "laptop lost")

    ((detail,),) = service.rows(
        "SELECT detail FROM audit_events WHERE event = 'secrets_resealed'"
    )
    assert json.loads(detail)["reason"] == "laptop lost"
    assert json.loads(detail)["rows"] >= 3


def test_status_names_the_setting_that_lacks_a_key(
    alice: Browser, restarted: Callable[..., Service]
) -> None:
    said = runs(restarted(secret_key=NEW_KEY), "secrets", "status", code=1)

    assert "LATCHKEY_SECRET_KEY_FALLBACKS" in said


def test_reseal_without_the_old_key_leaves_the_rows_and_says_so(
    alice: Browser, service: Service, restarted: Callable[..., Service]
) -> None:
    before = service.rows("SELECT secrets FROM oauth_sessions")

    said = runs(restarted(secret_key=NEW_KEY), "secrets", "reseal", code=1)

    assert "left under another key" in said
    assert service.rows("SELECT secrets FROM oauth_sessions") == before


def test_start_without_a_needed_key_names_the_setting(
    alice: Browser,
    restarted: Callable[..., Service],
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = restarted(secret_key=NEW_KEY)

    report_missing_keys(service.settings)

    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert "LATCHKEY_SECRET_KEY_FALLBACKS" in record.getMessage()
    assert service.get("/readyz").status == 503


def test_start_with_every_needed_key_says_nothing(
    alice: Browser,
    restarted: Callable[..., Service],
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = restarted(secret_key=NEW_KEY, secret_key_fallbacks=(SECRET_KEY,))

    report_missing_keys(service.settings)

    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
