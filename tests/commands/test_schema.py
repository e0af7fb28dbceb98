"""The commands about the schema, and commands on the schema of another release."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest

from app.commands import ANY_SCHEMA, commands
from app.commands.access.service_keys import RightsType
from app.config import VERSION, Settings
from app.factory.web import create_app
from app.flows.services.keys import RIGHTS
from app.stores.migrations.versions import v0_1_0
from tests.service import close, production


@pytest.fixture
def path(tmp_path):
    return tmp_path / "latchkey.db"


@pytest.fixture
def run(path):
    app = create_app(Settings(**production(path)))
    yield lambda *args: app.test_cli_runner().invoke(args=[*args])
    close(app)


def create_first_release(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(v0_1_0.SCHEMA.read_text())
    path.chmod(0o600)


def audited(path: Path, event: str) -> list[dict[str, str]]:
    query = "SELECT detail FROM audit_events WHERE event = ?"
    with closing(sqlite3.connect(path)) as connection:
        return [json.loads(row[0]) for row in connection.execute(query, [event])]


def test_upgrade_and_then_init_make_a_new_database(run):
    assert run("upgrade").exit_code == 0
    assert run("init").exit_code == 0

    assert json.loads(run("version", "--json").stdout) == {
        "release": VERSION,
        "needed_schema": "0.2.0",
        "schema": "0.2.0",
    }


def test_upgrade_of_an_empty_database_says_what_creates_its_tables(run):
    assert "`init` creates its tables" in run("upgrade").stderr


def test_upgrade_of_an_empty_database_with_json_prints_the_record_alone(run):
    """`make run` runs `init` right after, and passes on what goes to stderr."""
    result = run("upgrade", "--json")

    assert json.loads(result.stdout) == {"before": None, "after": None}
    assert result.stderr == ""


def test_upgrade_of_release_0_1_0_prints_and_audits_both_versions(run, path):
    create_first_release(path)

    result = run("upgrade", "--json", "--reason", "the new release")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"before": "0.1.0", "after": "0.2.0"}
    assert "ALTER TABLE" in result.stderr
    [event] = audited(path, "schema_upgraded")
    assert (event["from"], event["to"]) == ("0.1.0", "0.2.0")
    assert event["reason"] == "the new release"
    assert event["operator"]


def test_upgrade_that_changes_nothing_is_not_audited(run, path):
    run("init")

    assert run("upgrade").exit_code == 0

    assert audited(path, "schema_upgraded") == []


def test_init_refuses_the_tables_of_an_older_release(run, path):
    create_first_release(path)

    result = run("init")

    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert "the schema of release 0.1.0, this release needs 0.2.0" in line
    assert "run `flask --app wsgi upgrade`" in line


@pytest.mark.parametrize(
    "name", [each.name for each in commands(None, "") if each.name not in ANY_SCHEMA]
)
def test_commands_refuse_the_schema_of_another_release(run, path, name):
    create_first_release(path)
    [command] = [each for each in commands(None, "") if each.name == name]
    for words, leaf in _leaves(command, name):
        result = run(*words, *_arguments(leaf))

        assert result.exit_code == 1, words
        assert "run `flask --app wsgi upgrade`" in result.stderr, words


def _leaves(command, *words):
    """Yield the words and the command of each one that is not a group."""
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name, each in command.commands.items():
        yield from _leaves(each, *words, name)


def _arguments(leaf):
    """Return a value for each argument and option that the command needs."""
    arguments = [one for one in leaf.params if one.param_type_name == "argument"]
    values = [_value(one.type) for one in arguments]
    for one in leaf.params:
        if one.required and one not in arguments:
            values += [one.opts[0], _value(one.type)]
    return values


def _value(kind):
    if isinstance(kind, click.Choice):
        return kind.choices[0]
    if isinstance(kind, RightsType):
        return RIGHTS[0]
    return "-" if isinstance(kind, click.File | click.Path) else "1"


def test_init_audits_the_operator_and_the_reason(run, path):
    run("init", "--reason", "a new platform")

    added = audited(path, "key_added")
    assert {event["reason"] for event in added} == {"a new platform"}
    assert all(event["operator"] for event in added)


def test_init_prints_what_it_created_as_json(run):
    first = json.loads(run("init", "--json").stdout)
    again = json.loads(run("init", "--json").stdout)

    assert first["schema_created"] is True
    assert first["platform_key"]
    assert first["client_key"]
    assert again == {
        "schema_created": False,
        "platform_key": None,
        "client_key": None,
        "id_token_key": None,
    }


def test_config_check_prints_its_lines_as_json(run):
    assert json.loads(run("config", "check", "--json").stdout)["summary"]
