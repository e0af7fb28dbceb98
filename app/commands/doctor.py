"""`flask --app wsgi doctor`: look at this deployment, and say what to correct."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from app.doctor.findings import Checked, Finding
from app.flows.counted import counted

from .administration import Administration
from .framework.output import (
    meaning,
    print_records,
    printable,
    prints,
    progress,
    wants_json,
)


@dataclass(frozen=True)
class Checkup:
    """One line of the result: a finding, or a check without one."""

    check: str = meaning("name of the check")
    state: str = meaning("`ok`, `found` or `skipped`")
    what: str | None = meaning("what was seen, or why the check was skipped")
    why: str | None = meaning("why it matters")
    todo: str | None = meaning("what to do")


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @prints(Checkup)
    @click.command("doctor")
    @click.option(
        "--offline", is_flag=True, help="Look at this machine and its database only."
    )
    def doctor(offline: bool) -> None:
        """Look at this deployment from outside and inside, and say what to correct.

        Each finding says what was seen, why it matters and what to do. Nothing is
        changed. Run it on each node, with the settings of the service. Exits with 1
        when something was found.
        """
        examination = administration.doctor
        names = examination.names(offline=offline)
        with progress("looking", len(names)) as advance:
            checked = examination.examine(
                offline=offline, report=lambda _name: advance(1)
            )
        found = sum(len(each.findings) for each in checked)
        if wants_json():
            print_records(line for each in checked for line in _lines(each))
        else:
            _show(checked, found)
        if found:
            raise click.exceptions.Exit(1)

    return doctor


def _lines(checked: Checked) -> Iterator[Checkup]:
    for each in checked.findings:
        yield Checkup(checked.check, "found", each.what, each.why, each.todo)
    if not checked.findings:
        state = "ok" if checked.skipped is None else "skipped"
        yield Checkup(checked.check, state, checked.skipped, None, None)


def _show(checked: Sequence[Checked], found: int) -> None:
    for each in checked:
        for finding in each.findings:
            _show_finding(each.check, finding)
    fine = [each.check for each in checked if not each.findings and not each.skipped]
    click.echo(f"fine: {', '.join(fine) or 'nothing'}")
    for each in checked:
        if each.skipped is not None:
            click.echo(f"skipped: {each.check} ({each.skipped})")
    checks = counted(len(checked), "check", "checks")
    click.echo(f"{checks}, {counted(found, 'finding', 'findings')}")


def _show_finding(check: str, finding: Finding) -> None:
    click.echo(f"FOUND by {check}: {printable(finding.what)}")
    click.echo(f"  why: {finding.why}")
    click.echo(f"  do:  {printable(finding.todo)}\n")
