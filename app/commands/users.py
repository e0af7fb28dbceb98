"""`flask --app wsgi users`: find, disable, rename and delete accounts.

WHO is a username, `@handle` or DID everywhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

import click

from app.flows.counted import counted
from app.flows.operator import Operator
from app.flows.people import PeopleUseCases
from app.flows.ports import User

from .administration import Administration, in_one_line
from .framework.acting import confirm, with_operator, yes_option
from .framework.durations import in_words
from .framework.output import at, meaning, print_record, print_records, prints


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account in `users list`."""

    username: str = meaning("the username on the platform")
    did: str = meaning("the permanent id of the account")
    handle: str | None = meaning("as verified at the last sign-in")
    created: datetime | None = meaning("when the account signed up")
    last_sign_in: datetime | None = meaning("when it last signed in at its host")
    disabled: datetime | None = meaning("when it was disabled")


@dataclass(frozen=True, slots=True)
class UserShown(UserRow):
    """An account in `users show`."""

    host: str | None = meaning("authorization server of the last sign-in")
    sessions: int = meaning("how many live sessions it has, apps included")
    apps: int = meaning("how many of them are native apps'")


@dataclass(frozen=True, slots=True)
class UserDisabled:
    """What `users disable` did."""

    username: str = meaning("the username on the platform")
    did: str = meaning("the permanent id of the account")
    sessions_ended: int = meaning("how many sessions ended")
    apps_denied: int = meaning("how many waiting apps were told no")


@dataclass(frozen=True, slots=True)
class UserEnabled:
    """What `users enable` did."""

    username: str = meaning("the username on the platform")
    did: str = meaning("the permanent id of the account")
    changed: bool = meaning("false when it was enabled already")


@dataclass(frozen=True, slots=True)
class UserRenamed:
    """What `users rename` did."""

    did: str = meaning("the permanent id of the account")
    former: str = meaning("the username until now; held for USERNAME_HOLD")
    username: str = meaning("the username from now on")


@dataclass(frozen=True, slots=True)
class UserDeleted:
    """What `users delete` did."""

    username: str = meaning("the username, which no other account may have for a while")
    held_until: datetime | None = meaning("until when the username is held")
    audit_mark: str = meaning("what the audit shows in place of the DID")
    sessions_ended: int = meaning("how many sessions ended")
    grants: int = meaning("how many grants the account had at its hosts")
    grants_revoked: int = meaning("how many were revoked now; the sweep does the rest")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    users = click.Group("users", help="The accounts: find, disable, rename, delete.")

    @prints(UserRow)
    @users.command("list")
    @click.option(
        "--search",
        default="",
        metavar="TEXT",
        help="A part of the username or handle, or a DID.",
    )
    @click.option("--disabled", is_flag=True, help="Only disabled accounts.")
    def list_users(search: str, disabled: bool) -> None:
        """List the accounts by username."""
        accounts = administration.people.accounts
        found = accounts.search(search.strip().lstrip("@"), only_disabled=disabled)
        in_one_line(lambda: print_records(map(_row, found)))

    @prints(UserShown)
    @users.command("show")
    @click.argument("who")
    def show(who: str) -> None:
        """Show one account."""
        in_one_line(lambda: print_record(_shown(administration.people, who)))

    @prints(UserDisabled)
    @users.command("disable")
    @click.argument("who")
    @yes_option
    @with_operator
    def disable(who: str, yes: bool, operator: Operator) -> None:
        """Keep an account out, and end its sessions and waiting apps everywhere."""
        in_one_line(partial(_disable, administration.people, who, yes=yes, by=operator))

    @prints(UserEnabled)
    @users.command("enable")
    @click.argument("who")
    @with_operator
    def enable(who: str, operator: Operator) -> None:
        """Let a disabled account sign in again."""
        in_one_line(partial(_enable, administration.people, who, by=operator))

    @prints(UserRenamed)
    @users.command("rename")
    @click.argument("who")
    @click.argument("name")
    @with_operator
    def rename(who: str, name: str, operator: Operator) -> None:
        """Give an account another username; a reserved one may be given too."""
        in_one_line(partial(_rename, administration.people, who, name, by=operator))

    @prints(UserDeleted)
    @users.command("delete")
    @click.argument("who")
    @yes_option
    @with_operator
    def delete(who: str, yes: bool, operator: Operator) -> None:
        """Delete an account and all that is stored of it; its username is held."""
        in_one_line(partial(_delete, administration.people, who, yes=yes, by=operator))

    return users


def _row(user: User) -> UserRow:
    return UserRow(
        username=user.username,
        did=user.did,
        handle=user.handle,
        created=at(user.created_at),
        last_sign_in=at(user.handle_checked_at),
        disabled=at(user.disabled_at),
    )


def _shown(people: PeopleUseCases, who: str) -> UserShown:
    user = people.find(who)
    sessions = people.sessions.list_of(user.did)
    return UserShown(
        **asdict(_row(user)),
        host=user.issuer,
        sessions=len(sessions),
        apps=sum(session.app_name is not None for session in sessions),
    )


def _disable(people: PeopleUseCases, who: str, *, yes: bool, by: Operator) -> None:
    user = people.find(who)
    count = len(people.sessions.list_of(user.did))
    confirm(
        f"{_named(user)} is kept out until `users enable`, and {_sessions(count)} "
        "on every node within 10 seconds. A service that verifies tokens by itself "
        "and does not read /auth/revocations takes those that are out for up to "
        f"{in_words(people.token_lifetime)}.",
        yes=yes,
    )
    ended = people.accounts.disable(user, by=by)
    print_record(
        UserDisabled(
            username=user.username,
            did=user.did,
            sessions_ended=ended.sessions,
            apps_denied=ended.apps,
        )
    )


def _enable(people: PeopleUseCases, who: str, *, by: Operator) -> None:
    user = people.find(who)
    changed = people.accounts.enable(user, by=by)
    print_record(UserEnabled(username=user.username, did=user.did, changed=changed))


def _rename(people: PeopleUseCases, who: str, name: str, *, by: Operator) -> None:
    user = people.find(who)
    username = people.accounts.rename(user, name, by=by)
    print_record(UserRenamed(did=user.did, former=user.username, username=username))


def _delete(people: PeopleUseCases, who: str, *, yes: bool, by: Operator) -> None:
    user = people.find(who)
    count = len(people.sessions.list_of(user.did))
    confirm(
        f"{_named(user)} is deleted with all that is stored of it, and "
        f"{_sessions(count)}. This cannot be undone. The username is held for "
        f"{in_words(people.username_hold)}.",
        yes=yes,
    )
    deleted = people.delete(user, by=by)
    if deleted is None:
        raise click.ClickException("the account is gone already")
    print_record(
        UserDeleted(
            username=deleted.username,
            held_until=at(deleted.held_until),
            audit_mark=deleted.mark,
            sessions_ended=deleted.sessions,
            grants=deleted.grants,
            grants_revoked=deleted.revoked,
        )
    )


def _named(user: User) -> str:
    handle = f"@{user.handle}, " if user.handle else ""
    return f"{user.username} ({handle}{user.did})"


def _sessions(count: int) -> str:
    return counted(count, "session ends", "sessions end")
