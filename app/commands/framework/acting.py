"""Options of commands that change something: `--reason` and `--yes`.

`--reason` and the unix user go into the audit. `--yes` answers the question that a
command asks before it ends or deletes something.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from app.flows.operator import Operator

Returned = TypeVar("Returned")

TAKES_ID = {"ignore_unknown_options": True}
"""Settings of a command with a session or key id: base64url may begin with a dash."""

MAX_REASON = 500
"""The longest reason, in characters."""


def with_operator(
    function: Callable[..., Returned],
) -> Callable[..., Returned]:
    """Give a command `--reason`, and pass its function `operator`, an Operator."""

    @click.option(
        "--reason",
        type=_Reason(),
        metavar="TEXT",
        help="Why; kept in the audit with your unix user.",
    )
    # sudo names the person who called it; by itself the user is the service's own.
    @click.option("--unix-user", envvar="SUDO_USER", default=unix_user, hidden=True)
    @wraps(function)
    def wrapped(
        *args: Any, reason: str | None, unix_user: str, **options: Any
    ) -> Returned:
        return function(*args, operator=Operator(unix_user, reason), **options)

    return wrapped


yes_option = click.option(
    "--yes", is_flag=True, help="Answer the question with yes; do not ask."
)


def confirm(what_ends: str, *, yes: bool) -> None:
    """Say what ends and ask; return when the operator agrees.

    Raises:
        Abort: the answer is no, or there is no terminal to ask on (exit code 1).
    """
    click.echo(what_ends, err=True)
    if not yes:
        click.confirm("Go on?", abort=True, err=True)


def unix_user() -> str:
    """Return the name of the unix user that runs this process."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


class _Reason(click.ParamType):  # type: ignore[type-arg] # generic since 8.4
    name = "text"

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        if len(value) > MAX_REASON:
            self.fail(f"A reason has at most {MAX_REASON} characters.", param, ctx)
        return value
