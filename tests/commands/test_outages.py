"""Commands while the database takes no write: one line that says what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from app.commands.administration import LOST, in_one_line
from app.flows.errors import StorageUnavailable
from app.stores.sql import sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service import Service


@pytest.fixture
def path(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The database of a service, locked by another program."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.0)
    path = service.settings.database_url.removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield path
    other.close()


@pytest.mark.parametrize("command", ["sweep", "keys rotate platform"])
def test_command_on_a_locked_database_says_what_became_of_it(
    service: Service, path: str, command: str
):
    keys = service.rows("SELECT * FROM signing_keys")

    result = service.app.test_cli_runner().invoke(args=command.split())

    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        f"Error: {path}: database is locked; another program is writing to it: wait, "
        "or end that program. The transaction that failed was rolled back, nothing of "
        "it was kept: correct this and run the command again"
    )
    assert service.rows("SELECT * FROM signing_keys") == keys


@pytest.mark.parametrize(
    ("rolled_back", "said"),
    [(None, "Error: it is down\n"), (False, f"Error: it is down. {LOST}\n")],
)
def test_command_claims_no_rollback_that_is_not_known(rolled_back, said):
    def act() -> None:
        error = StorageUnavailable("it is down")
        error.rolled_back = rolled_back
        raise error

    command = click.Command("act", callback=lambda: in_one_line(act))

    assert CliRunner().invoke(command).output == said
