"""docs/cli.md says what the program does: codes, options, and what is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from app.atproto.cli.failures import _TABLE, Exit
from app.atproto.cli.options import build_program
from app.atproto.cli.program import COMMANDS
from tests.atproto.terminal import Terminal

if TYPE_CHECKING:
    from tests.fakes.world import World

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()
CODES = re.findall(r"(?m)^\| (\d+) \| [^|]+ \|([^|]*)\|$", PAGE)


def options_of(*commands: click.Command) -> set[str]:
    return {
        flag
        for command in commands
        for param in command.params
        for flag in param.opts
        if flag.startswith("--")
    }


def test_the_page_lists_every_exit_code_and_error() -> None:
    listed = {
        (int(code), name)
        for code, names in CODES
        for name in re.findall("`([a-z_]+)`", names)
    }

    assert {int(code) for code, _ in CODES} == set(Exit)
    promised = {(code, name) for code, name, _ in _TABLE.values() if name != "failed"}
    assert listed == promised


def test_the_page_names_options_that_there_are() -> None:
    there = options_of(build_program(COMMANDS), *COMMANDS) | {"--help"}

    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert named <= there
    assert there - named <= {"--help", "--method", "--header", "--json", "--account"}


@pytest.mark.parametrize("command", ["login", "discover"])
def test_the_page_shows_what_is_printed(
    world: World, tmp_path: Path, command: str
) -> None:
    terminal = Terminal(world, tmp_path)
    scope = ["--scope", "atproto repo:app.relay.track"]

    ended = terminal.runs(
        command, world.alice.handle, *(scope if command == "login" else [])
    )

    start = f"$ latchkey-atproto {command} alice"
    [block] = [
        text for text in PAGE.split("```") if start in text and "--p" not in text
    ]
    shown = [line for line in alike(block).splitlines() if "..." not in line]
    printed = set(alike(ended.noise + ended.text).splitlines())
    lines = [line for line in shown if line and not line.startswith("$")]
    assert len(lines) > 4
    assert [line for line in lines if line not in printed] == []


def alike(text: str) -> str:
    """The same for the page's people and hosts and for those of the tests."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "DATE", text)
    text = re.sub(r"did:plc:[a-z2-7]{24}", "DID", text)
    return re.sub(r"(as|pds)\.(skyhost\.social|example\.com)", "HOST", text).replace(
        "alice.skyhost.social", "alice.example.com"
    )
