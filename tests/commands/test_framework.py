"""What all commands share: help, version, JSON, questions, and the reference page."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

import click
import pytest
from click.testing import CliRunner

from app.commands import Administration, commands
from app.commands.administration import in_one_line
from app.commands.docs import PAGE, commands_page
from app.commands.framework.acting import TAKES_ID, confirm, unix_user, with_operator
from app.commands.framework.output import (
    at,
    meaning,
    print_record,
    print_records,
    printed_record,
    prints,
)
from app.config import VERSION

if TYPE_CHECKING:
    from app.flows.operator import Operator


READS = {
    *("audit", "check", "claims", "doctor", "list", "show", "status", "version"),
    "sweep",
}
"""Commands that change nothing by an operator's will: the sweep is a timer's."""


@dataclass(frozen=True)
class Row:
    name: str = meaning("a name")
    since: datetime | None = meaning("a time")


@prints(Row)
@click.command
def listing() -> None:
    print_records([Row("alice", at(0)), Row("\x1b[2Jbob", None)])


@prints(Row)
@click.command
def single() -> None:
    print_record(Row("alice", at(86400.7)))


def paths(command: click.Command) -> list[list[str]]:
    name = command.name or ""
    found = [[name]]
    if isinstance(command, click.Group):
        found += [
            [name, *path] for each in command.commands.values() for path in paths(each)
        ]
    return found


TOP = commands(cast("Administration", None), VERSION)
EVERY = [path for command in TOP for path in paths(command)]


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_of_every_command_do_nothing_else(path, option):
    group = click.Group(commands={str(command.name): command for command in TOP})

    result = CliRunner().invoke(group, [*path, option])

    assert result.exit_code == 0, result.output
    assert (VERSION if option == "--version" else "Usage:") in result.output


def test_reference_page_matches_the_commands():
    assert PAGE.read_text(encoding="utf-8") == commands_page(), "run `make docs-config`"


def test_json_prints_one_object_a_line_with_utc_times():
    lines = CliRunner().invoke(listing, ["--json"]).output.splitlines()

    assert [json.loads(line) for line in lines] == [
        {"name": "alice", "since": "1970-01-01T00:00:00Z"},
        {"name": "\x1b[2Jbob", "since": None},
    ]


def test_table_has_a_head_and_shows_no_control_characters():
    head, first, second = CliRunner().invoke(listing).output.splitlines()

    assert head.split() == ["NAME", "SINCE"]
    assert first.split() == ["alice", "1970-01-01T00:00:00Z"]
    assert "\x1b" not in second


def test_empty_table_says_none_beside_the_output():
    @prints(Row)
    @click.command
    def empty() -> None:
        print_records([])

    table, lines = (CliRunner().invoke(empty, args) for args in ([], ["--json"]))

    assert (table.stdout, table.stderr) == ("", "none\n")
    assert (lines.stdout, lines.stderr) == ("", "")


def test_single_record_prints_a_line_a_field():
    assert CliRunner().invoke(single).output.splitlines() == [
        "name   alice",
        "since  1970-01-02T00:00:00Z",
    ]


def test_record_that_the_command_does_not_declare_is_refused():
    @click.command
    def undeclared() -> None:
        print_record(Row("alice", None))

    result = CliRunner().invoke(undeclared)

    assert isinstance(result.exception, TypeError)


@pytest.mark.parametrize(
    ("arguments", "answer", "exit_code"),
    [([], "y\n", 0), ([], "n\n", 1), ([], "", 1), (["--yes"], "", 0)],
)
def test_question_goes_on_only_with_a_yes(arguments, answer, exit_code):
    @click.command
    @click.option("--yes", is_flag=True)
    def delete(yes: bool) -> None:
        confirm("This ends 3 sessions.", yes=yes)
        click.echo("done")

    result = CliRunner().invoke(delete, arguments, input=answer)

    assert result.exit_code == exit_code
    assert ("done" in result.output) == (exit_code == 0)
    assert "This ends 3 sessions." in result.output


def test_operator_is_the_user_behind_sudo_with_the_reason(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "carol")
    seen: list[Operator] = []

    @click.command
    @with_operator
    def act(operator: Operator) -> None:
        seen.append(operator)

    result = CliRunner().invoke(act, ["--reason", "asked by mail"])

    assert result.exit_code == 0, result.output
    assert seen[0].as_detail() == {"operator": "carol", "reason": "asked by mail"}


def test_operator_without_sudo_is_the_unix_user(monkeypatch):
    monkeypatch.delenv("SUDO_USER", raising=False)

    assert unix_user()


def test_reason_that_is_too_long_is_wrong_usage():
    @click.command
    @with_operator
    def act(operator: Operator) -> None: ...

    assert CliRunner().invoke(act, ["--reason", "x" * 501]).exit_code == 2


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_declares_its_json(path):
    command = command_of(path)

    assert is_group(command) or printed_record(command) is not None


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_that_changes_something_takes_a_reason(path):
    command = command_of(path)
    takes_reason = "reason" in {parameter.name for parameter in command.params}

    reads = path[-1] in READS or " ".join(path) in READS
    assert is_group(command) or takes_reason != reads


def command_of(path: list[str]) -> click.Command:
    command: click.Command = click.Group(commands={str(c.name): c for c in TOP})
    for name in path:
        command = cast("click.Group", command).commands[name]
    return command


def is_group(command: click.Command) -> bool:
    return isinstance(command, click.Group) and not command.invoke_without_command


def test_id_that_begins_with_a_dash_is_an_argument():
    seen: list[str] = []

    @click.command(context_settings=TAKES_ID)
    @click.argument("sid")
    @click.option("--yes", is_flag=True)
    def end(sid: str, yes: bool) -> None:
        seen.append(f"{sid} {yes}")

    for sid in ("-x_ab", "--xyz", "-yes"):
        assert CliRunner().invoke(end, [sid, "--yes"]).exit_code == 0

    assert seen == ["-x_ab True", "--xyz True", "-yes True"]


def test_command_whose_reader_has_gone_ends_without_a_word():
    """`audit | head -2` closes the pipe."""

    def write() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    command = click.Command("audit", callback=lambda: in_one_line(write))
    result = CliRunner().invoke(command)

    assert result.exit_code == 1
    assert result.output == ""
