"""Writes `docs/commands.md`: `python -m app.commands.docs`.

It is made from the declarations of the commands; a test fails when the file differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import cast

import click

from app.commands import Administration, commands

from .framework.output import printed_record

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"

_HEAD = """\
# Commands

<!-- Made by `make docs-config` from app/commands; change it there. -->

The operator's commands are Flask's own: `flask --app wsgi COMMAND`, on a deployed host
`latchkey COMMAND`. They run beside the service, on the same database.

- Every command has `--help` and `--version`, which do nothing else.
- `--json` prints one JSON object a line with the fields named here. Times are UTC
  (RFC 3339); a field without a value is `null`.
- The exit code is 0 when it is done, 1 when something was refused or found, 2 when
  the command line is wrong, 130 when Ctrl-C ended it.
- What ends or deletes something says so and asks; `--yes` answers. `--reason` and the
  unix user go into the audit.
"""


def commands_page() -> str:
    """Return the text of docs/commands.md."""
    # Making the commands reads nothing of the administration; running them does.
    administration = cast("Administration", None)
    parts = [_HEAD]
    for command in commands(administration, release=""):
        parts += _sections(command, command.name or "")
    return "\n".join(parts)


def _sections(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group) and not command.invoke_without_command:
        for name, each in command.commands.items():
            yield from _sections(each, f"{path} {name}")
        return
    yield _section(command, path)
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _sections(each, f"{path} {name}")


def _section(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    lines = [f"## {path}", "", f"    {usage}", "", _text(command.help), ""]
    lines += _options(command, context)
    record = printed_record(command)
    if record is not None:
        lines += ["| field | |", "|---|---|"]
        lines += [
            f"| `{each.name}` | {each.metadata.get('meaning', '')} |"
            for each in fields(record)
        ]
        lines.append("")
    return "\n".join(lines)


def _options(command: click.Command, context: click.Context) -> list[str]:
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context))
        and not {"--help", "--version"} & set(parameter.opts)
    ]
    if not records:
        return []
    rows = [
        f"| `{names}` | {text.replace('|', chr(92) + '|')} |" for names, text in records
    ]
    return ["| option | |", "|---|---|", *rows, ""]


def _text(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(commands_page(), encoding="utf-8")
