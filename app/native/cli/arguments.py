"""The command line's arguments, parsed by click: `python -m app.native --help`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from .. import __version__
from .exit_codes import Exit
from .languages import gettext as _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stores.open_store import Choice

Command = TypeVar("Command", bound=Callable[..., Any])

EXITS: Final = _("""exit codes:
  0  done                          5  the service cannot be reached
  1  failed on this machine        6  the service refused
  2  wrong usage or address        7  not signed in
  3  denied in the browser         8  replaced by another sign-in or a sign-out
  4  expired, or --timeout is over 130  interrupted
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; the options that a command does not have are unset."""

    command: Literal["login", "resume", "session", "logout"]
    json: bool
    state_dir: Path | None
    store: Choice
    server_url: str = ""
    identifier: str = ""
    app_name: str | None = None
    token: bool = False
    ca_bundle: Path | None = None
    no_browser: bool = False
    timeout: float | None = None
    grpc: str | None = None
    grpc_tls: bool = False


def parse(words: Sequence[str] | None = None) -> Options | int:
    """Return the options; or an exit code after --help, --version or a usage error."""
    try:
        parsed: Options | int = program.main(words, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return Exit.INTERRUPTED
    return parsed


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise click.BadParameter(_("a number of seconds is needed")) from error
    if not 0 < seconds < inf:
        raise click.BadParameter(_("a positive number of seconds is needed"))
    return seconds


def _all(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds these options, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_version = click.version_option(__version__, message="%(version)s")
_common = _all(
    click.option(
        "--json", is_flag=True, help=_("One JSON object on stdout, errors too.")
    ),
    click.option(
        "--state-dir",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help=_("The directory of the session."),
    ),
    click.option(
        "--store",
        type=click.Choice(["auto", "keyring", "file"]),
        default="auto",
        help=_("The system's keyring or a file; auto: the keyring if there is one."),
    ),
    _version,
)
_trusting = click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help=_("Certificates to trust instead of the usual ones."),
)
_waiting = _all(
    click.option(
        "--no-browser", is_flag=True, help=_("Only print the address to open.")
    ),
    click.option(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help=_("Give up after this long."),
    ),
    click.option("--transport", hidden=True, expose_value=False),  # until 0.2
    click.option(
        "--grpc",
        metavar="TARGET",
        help=_("Speak gRPC with this host:port or unix:path."),
    ),
    click.option(
        "--grpc-tls", is_flag=True, help=_("TLS for gRPC on this machine, too.")
    ),
    _trusting,
)


@click.group(
    epilog=f"\b\n{EXITS}",
    help=_("Sign in to a platform with your AT Protocol account, from a terminal."),
)
@_version
def program() -> None:
    """Sign in to a platform with your AT Protocol account, from a terminal."""


@program.command(
    help=_(
        "Sign in with the browser.\n\n"
        "SERVER_URL is the service's address, HANDLE your handle or DID."
    )
)
@click.argument("server_url")
@click.argument("identifier", metavar="HANDLE")
@click.option("--app-name", metavar="NAME", help=_("The app's name on the page."))
@_waiting
@_common
def login(**given: Any) -> Options:
    """Return the options of a sign-in with the browser."""
    return Options(command="login", **given)


@program.command(help=_("Wait for a sign-in that a crash has left behind."))
@_waiting
@_common
def resume(**given: Any) -> Options:
    """Wait for a sign-in that a crash has left behind."""
    return Options(command="resume", **given)


@program.command(help=_("Print who is signed in."))
@click.option(
    "--token", is_flag=True, help=_("Print the platform token, a secret, for scripts.")
)
@_trusting
@_common
def session(**given: Any) -> Options:
    """Print who is signed in."""
    return Options(command="session", **given)


@program.command(help=_("Remove the session here, and end it at the service."))
@_trusting
@_common
def logout(**given: Any) -> Options:
    """Remove the session here, and end it at the service."""
    return Options(command="logout", **given)
