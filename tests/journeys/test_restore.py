"""A service on a restored backup, and on the database of release 0.1.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.atproto.http.types import Deadline
from tests.fakes.pds import GET_SESSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"


def run(service: Service, *arguments: str) -> Result:
    return service.app.test_cli_runner().invoke(args=[*arguments])


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    path = tmp_path / "backups"
    path.mkdir(0o700)
    return path


def test_restored_service_keeps_people_signed_in_and_signs_in_others(
    open_service: Callable[..., Service], world: World, backups: Path, tmp_path: Path
) -> None:
    """The backup is made while the service runs; the first database is lost."""
    before = open_service()
    alice = before.browser()
    alice.signs_in(ALICE, username="alice")
    made = run(before, "backup", str(backups), "--json")
    assert made.exit_code == 0, made.output
    [folder] = backups.glob("latchkey-*")
    assert json.loads(made.stdout)["path"] == str(folder)

    (tmp_path / "new").mkdir()
    after = open_service(database_url=f"sqlite:///{tmp_path}/new/latchkey.db")
    done = run(after, "restore", str(folder), "--json")

    assert done.exit_code == 0, done.output
    assert run(after, "init").exit_code == 0
    assert alice.visits("/auth/session").json["username"] == "alice"
    world.clock.advance(86_400)
    [(did, session_id)] = after.rows("SELECT did, session_id FROM oauth_sessions")
    live = after.client.restore(did, session_id)
    answer = live.request(
        "GET", GET_SESSION, deadline=Deadline.after(10.0, world.clock.monotonic)
    )
    assert answer.json_object()["did"] == world.alice.did
    assert after.browser().signs_in(ALICE).status == 200


def test_service_after_the_upgrade_from_0_1_0_keeps_people_signed_in(
    open_service: Callable[..., Service], tmp_path: Path
) -> None:
    service = open_service()
    alice = service.browser()
    alice.signs_in(ALICE, username="alice")
    _take_back_to_first_release(service)
    assert run(service, "sweep").exit_code == 1

    assert run(service, "upgrade").exit_code == 0

    assert alice.visits("/auth/session").json["username"] == "alice"
    assert service.browser().signs_in(ALICE).status == 200


def _take_back_to_first_release(service: Service) -> None:
    """Take away what release 0.1.0 does not have."""
    service.rows("DROP TABLE alembic_version")
    service.rows("DROP TABLE callback_answers")
    service.rows("DROP INDEX oauth_sessions_by_pds")
    service.rows("ALTER TABLE sessions DROP COLUMN pending_for")
    service.rows("ALTER TABLE oauth_sessions DROP COLUMN retry_at")
