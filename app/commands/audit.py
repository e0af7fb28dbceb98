"""`flask --app wsgi audit`: what happened to accounts, sessions and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import click

from app.flows.people import PeopleUseCases
from app.flows.people.deletion import MARK
from app.flows.people.trail import AuditEvent

from .administration import Administration, in_one_line
from .framework.durations import DurationType
from .framework.output import at, meaning, print_lines, print_records, prints


@dataclass(frozen=True, slots=True)
class EventRow:
    """An audit event."""

    time: datetime | None = meaning("when it happened")
    event: str = meaning("what happened")
    did: str | None = meaning("whose account; a mark after that was deleted")
    sid: str | None = meaning("which session")
    detail: dict[str, Any] = meaning(
        "more of it; `operator` and `reason` of an operator's act"
    )


def command(administration: Administration) -> click.Command:
    """Return the command."""

    @prints(EventRow)
    @click.command("audit")
    @click.option(
        "--of",
        "who",
        metavar="WHO",
        help="Only events of an account; the mark of a deleted one too.",
    )
    @click.option("--event", metavar="NAME", help="Only events of this name.")
    @click.option(
        "--since",
        type=DurationType(),
        default="24h",
        show_default=True,
        help="How far back to begin.",
    )
    @click.option(
        "--follow", is_flag=True, help="Go on with new events until interrupted."
    )
    def audit(*, who: str | None, event: str | None, since: int, follow: bool) -> None:
        """Print the audit events, the oldest first."""
        people = administration.people
        events = partial(_events, people, since=since, event=event, follow=follow)
        in_one_line(lambda: _print(events(did=_did(people, who)), follow=follow))

    return audit


def _events(
    people: PeopleUseCases,
    *,
    since: int,
    did: str | None,
    event: str | None,
    follow: bool,
) -> Iterator[AuditEvent]:
    read = people.audit.follow if follow else people.audit.since
    return read(people.clock() - since, did=did, event=event)


def _print(events: Iterator[AuditEvent], *, follow: bool) -> None:
    printing = print_lines if follow else print_records
    printing(_row(found) for found in events)


def _did(people: PeopleUseCases, who: str | None) -> str | None:
    if who is None or who.startswith(MARK):
        return who
    return people.find.did(who)


def _row(found: AuditEvent) -> EventRow:
    return EventRow(
        time=at(found.created_at),
        event=found.event,
        did=found.did,
        sid=found.sid,
        detail=found.detail,
    )
