"""What a command prints: records as a table or as JSON lines (`--json`), and progress.

A command declares its record with `@prints(Record)`, a dataclass. Its field names are
the columns and the JSON fields; docs/commands.md is made from the same declaration.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Decorated = TypeVar("Decorated", bound=click.Command)

_JSON = f"{__name__}.json"


def meaning(text: str, *, only_json: bool = False) -> Any:
    """Declare a field of a record; `text` explains it in docs/commands.md.

    `only_json` leaves it out of tables and lines.
    """
    told = f"{text}; with `--json` alone" if only_json else text
    return field(metadata={"meaning": told, "only_json": only_json})


def prints(record: type[DataclassInstance]) -> Callable[[Decorated], Decorated]:
    """Declare which record a command prints, and give the command `--json`."""

    def decorate(command: Decorated) -> Decorated:
        command.record = record  # type: ignore[attr-defined] # read by printed_record
        command.params.append(
            click.Option(
                ["--json", "as_json"],
                is_flag=True,
                expose_value=False,
                callback=_remember_json,
                help="Print one JSON object a line.",
            )
        )
        return command

    return decorate


def printed_record(command: click.Command) -> type[DataclassInstance] | None:
    """Return the record that a command was declared to print, or None."""
    return getattr(command, "record", None)


def print_record(record: DataclassInstance) -> None:
    """Print one record: a line for each field, or one JSON object."""
    _refuse_undeclared(record)
    if wants_json():
        click.echo(_as_json(record))
        return
    names = _shown(record)
    width = max(map(len, names))
    for name in names:
        shown = _as_text(getattr(record, name))
        click.echo(f"{name.replace('_', ' '):<{width}}  {shown}".rstrip())


def print_records(records: Iterable[DataclassInstance]) -> None:
    """Print records: a table with a head, or one JSON object a line.

    Where there are none, stderr says so, so that stdout stays what programs read.

    JSON lines are printed as they come; a table waits for the last row.
    """
    rows = []
    for record in records:
        _refuse_undeclared(record)
        if wants_json():
            click.echo(_as_json(record))
        else:
            rows.append(record)
    if rows:
        _print_table(rows)
    elif not wants_json():
        click.echo("none", err=True)


def print_lines(records: Iterable[DataclassInstance]) -> None:
    """Print records as they come: a line of values, or one JSON object each."""
    for record in records:
        _refuse_undeclared(record)
        values = (_as_text(getattr(record, name)) for name in _shown(record))
        click.echo(_as_json(record) if wants_json() else "  ".join(values))


def printable(text: str) -> str:
    """Return text of a stranger's so that it cannot move the cursor of the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def wants_json() -> bool:
    """Return whether the running command was given `--json`."""
    return bool(click.get_current_context().meta.get(_JSON))


def at(seconds: float | None) -> datetime | None:
    """Return a Unix time as the UTC time that is printed (RFC 3339), to the second."""
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of `total` steps on a terminal; give the call that adds steps.

    It is written to stderr, so that stdout stays one table or JSON lines. Nothing is
    shown where stderr is not a terminal.
    """
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        length=total, label=label, file=sys.stderr, hidden=hidden
    ) as bar:
        yield bar.update


def _remember_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_JSON] = value


def _refuse_undeclared(record: DataclassInstance) -> None:
    declared = printed_record(click.get_current_context().command)
    if declared is None or not isinstance(record, declared):
        msg = f"the command declares no @prints({type(record).__name__})"
        raise TypeError(msg)


def _print_table(rows: list[DataclassInstance]) -> None:
    names = _shown(rows[0])
    table = [[name.replace("_", " ").upper() for name in names]]
    table += [[_as_text(getattr(row, name)) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _shown(record: DataclassInstance) -> list[str]:
    columns = fields(record)
    return [one.name for one in columns if not one.metadata.get("only_json")]


def _as_text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return _rfc3339(value)
        case dict() | list() | tuple():
            return json.dumps(value, default=str)
        case _:
            return printable(str(value))


def _as_json(record: DataclassInstance) -> str:
    return json.dumps(asdict(record), default=_plain)


def _plain(value: object) -> str:
    return _rfc3339(value) if isinstance(value, datetime) else str(value)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
