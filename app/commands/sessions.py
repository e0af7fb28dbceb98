"""`flask --app wsgi sessions`: list and end sign-in sessions.

WHO is a username, `@handle` or DID.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import click

from app.flows.counted import counted
from app.flows.operator import Operator
from app.flows.people import PeopleUseCases
from app.flows.ports import Session
from app.flows.sessions.device_name import english_name_of

from .administration import Administration, in_one_line
from .framework.acting import TAKES_ID, confirm, with_operator, yes_option
from .framework.output import (
    at,
    meaning,
    print_record,
    print_records,
    printable,
    prints,
    progress,
)

MOST = 200
"""Sessions that `sessions list` shows unless `--limit` says otherwise."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A live session."""

    sid: str = meaning("the id of the session; platform tokens name it")
    did: str = meaning("whose it is")
    handle: str | None = meaning("as verified at the sign-in")
    app: str | None = meaning("the native app that holds it")
    device: str = meaning("the browser and its system, as the account page names it")
    user_agent: str = meaning("what the browser says it is", only_json=True)
    login_id: str | None = meaning("of the sign-in, in the log", only_json=True)
    host: str | None = meaning("the authorization server that granted access")
    pending: str | None = meaning("`signup` or `native` while it waits for an answer")
    created: datetime | None = meaning("when the person signed in")
    seen: datetime | None = meaning("when it was last used, to ten minutes")
    expires: datetime | None = meaning("when it ends by itself")


@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """What `sessions end` did."""

    sessions_ended: int = meaning("how many sessions ended")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    sessions = click.Group("sessions", help="The sign-in sessions of people and apps.")

    @prints(SessionRow)
    @sessions.command("list")
    @click.argument("who", required=False)
    @click.option(
        "--limit",
        type=click.IntRange(1),
        default=MOST,
        show_default=True,
        help="The most that are shown.",
    )
    def list_sessions(who: str | None, limit: int) -> None:
        """List the live sessions, of WHO or of everybody, the last used first."""
        in_one_line(partial(_list, administration.people, who, limit))

    @prints(SessionsEnded)
    @sessions.command("end", context_settings=TAKES_ID)
    @click.argument("sid", required=False)
    @click.option("--of", "who", metavar="WHO", help="End all of an account.")
    @click.option("--everybody", is_flag=True, help="End all of all accounts.")
    @yes_option
    @with_operator
    def end(
        *,
        sid: str | None,
        who: str | None,
        everybody: bool,
        yes: bool,
        operator: Operator,
    ) -> None:
        """End one session, all of an account, or everybody's."""
        if sum((sid is not None, who is not None, everybody)) != 1:
            raise click.UsageError("give one of SID, --of WHO and --everybody")
        people = administration.people
        if sid is not None:
            act = partial(_end_one, people, sid, yes=yes, operator=operator)
        elif who is not None:
            act = partial(_end_of, people, who, yes=yes, operator=operator)
        else:
            act = partial(_end_everybody, people, yes=yes, operator=operator)
        ended = in_one_line(act)
        print_record(SessionsEnded(sessions_ended=ended))

    return sessions


def _list(people: PeopleUseCases, who: str | None, limit: int) -> None:
    if who is not None:
        found = people.sessions.list_of(people.find.did(who))
    else:
        found = people.sessions.latest(limit + 1)
    print_records(_row(session) for session in found[:limit])
    if len(found) > limit:
        click.echo("There are more: use --limit, or name WHO.", err=True)


def _row(session: Session) -> SessionRow:
    return SessionRow(
        sid=session.sid,
        did=session.did,
        handle=session.handle,
        app=session.app_name,
        device=english_name_of(session.device),
        user_agent=session.device,
        login_id=session.login_id,
        host=session.issuer,
        pending=session.pending_for,
        created=at(session.created_at),
        seen=at(session.seen_at),
        expires=at(session.expires_at),
    )


def _end_one(people: PeopleUseCases, sid: str, *, yes: bool, operator: Operator) -> int:
    session = people.sessions.one(sid)
    held = session.app_name or english_name_of(session.device)
    confirm(
        f"The session {sid} of {session.did} ({printable(held)}) ends on every node "
        "within 10 seconds.",
        yes=yes,
    )
    people.sessions.end_one(sid, by=operator)
    return 1


def _end_of(people: PeopleUseCases, who: str, *, yes: bool, operator: Operator) -> int:
    did = people.find.did(who)
    count = len(people.sessions.list_of(did))
    ends = counted(count, "session ends", "sessions end")
    confirm(f"{ends} of {did}, those of apps too.", yes=yes)
    return people.sessions.end_of(did, by=operator).sessions


def _end_everybody(people: PeopleUseCases, *, yes: bool, operator: Operator) -> int:
    count = people.sessions.count()
    confirm(
        f"Everybody is signed out: {counted(count, 'session ends', 'sessions end')}, "
        "those of apps too. "
        "The sweep revokes the grants at the hosts.",
        yes=yes,
    )
    with progress("ending sessions", count) as ended:
        return people.sessions.end_everybody(by=operator, ended=ended)
