"""The command line's options, on click: types, defaults, environment variables.

Options that every command has may stand before or after its name. What is not given is
read from the environment, under the names of the service's settings. Parsing runs no
command: `parse` returns which one to run, and with what.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import click

from ..errors import IdentifierInvalid
from ..open_client import PLC_DIRECTORY
from ..syntax.grammar import parse_origin
from .failures import PROGRAM, VERSION, UsageError
from .invocation import Invocation
from .outside import Outside

PREFIX: Final = "LATCHKEY_"
DIRECTORY: Final = "latchkey-atproto"
"""The name of the state directory."""

MAX_TIMEOUT: Final = 3600.0
DNS_PORT: Final = 53
ADDRESS: Final = re.compile(
    r"(?P<bare>[0-9a-fA-F]*:[0-9a-fA-F:.]+)|(?P<v4>[0-9.]+)(?::(?P<port4>[0-9]{1,5}))?"
    r"|\[(?P<v6>[0-9a-fA-F:.]+)\](?::(?P<port6>[0-9]{1,5}))?"
)
SWITCHES: Final = {
    "--json": "print one JSON object, also for a failure",
    "--verbose": "print the library's log on stderr",
    "--lab-network": "a test network: http, private addresses, any port, .test names",
}


@dataclass(frozen=True, slots=True)
class Request:
    """The command to run and its options."""

    run: Callable[[Invocation], None]
    options: SimpleNamespace


class Parsed(click.ParamType):  # type: ignore[type-arg] # generic since 8.4
    """The type of an option that a function reads; its ValueError is the message."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Read a string; defaults of another type are kept."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return text


def _origin(text: str) -> str:
    """Return an origin: https, or http in a test network."""
    try:
        return parse_origin(text, allow_http=True)
    except IdentifierInvalid as error:
        raise ValueError(f"it is no origin: {error}") from error


def _nameservers(text: str) -> tuple[tuple[str, int], ...]:
    """Return addresses and ports: 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53."""
    return tuple(_nameserver(part.strip()) for part in text.split(",") if part.strip())


def _nameserver(text: str) -> tuple[str, int]:
    parts = ADDRESS.fullmatch(text)
    if parts is None:
        raise ValueError("it is no address of a name server")
    address = ip_address(parts["bare"] or parts["v4"] or parts["v6"])
    return str(address), int(parts["port4"] or parts["port6"] or DNS_PORT)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= MAX_TIMEOUT:
        raise ValueError(f"it is no number of seconds up to {MAX_TIMEOUT:.0f}")
    return seconds


def command(
    name: str,
    run: Callable[[Invocation], None],
    *params: click.Parameter,
    summary: str,
) -> click.Command:
    """Return a command with its own parameters and those that every command has."""

    def requested(**given: Any) -> Request:
        return Request(run, SimpleNamespace(**_merged(given)))

    return _Command(
        name,
        callback=requested,
        params=[*params, *_common()],
        help=f"{summary}.",
        short_help=summary,
    )


def option(*flags: str, **how: Any) -> click.Option:
    """Return an option; how it is read is in click's words."""
    return click.Option(list(flags), **how)


def argument(name: str, **how: Any) -> click.Argument:
    """Return a positional argument."""
    return click.Argument([name], **how)


def account_option() -> click.Option:
    """Return the option that selects one of several accounts."""
    return option(
        "--account",
        metavar="HANDLE|DID",
        help="the account; by default the one signed in last",
    )


def timeout_option(default: float, meaning: str) -> click.Option:
    """Return the option of a time limit in seconds."""
    return option(
        "--timeout",
        type=Parsed("seconds", _seconds),
        default=default,
        metavar="SECONDS",
        help=f"{meaning} ({default:.0f})",
    )


def parse(
    commands: Sequence[click.Command],
    arguments: Sequence[str],
    outside: Outside,
) -> Request | None:
    """Read the command line; None when --help or --version was answered.

    Raises:
        UsageError: it makes no sense.
    """
    program = build_program(commands)
    try:
        found = program.main(
            list(arguments),
            prog_name=PROGRAM,
            standalone_mode=False,
            default_map=_defaults(outside),
        )
    except click.MissingParameter as error:
        name = error.param.human_readable_name if error.param else "COMMAND"
        raise UsageError(f"the following arguments are required: {name}") from error
    except click.ClickException as error:
        raise UsageError(error.format_message().rstrip(".")) from error
    return found if isinstance(found, Request) else None


def build_program(commands: Sequence[click.Command]) -> click.Group:
    """Return the program with its commands."""
    return _Group(
        PROGRAM,
        commands={one.name or "": one for one in commands},
        params=_common(),
        help="Sign in with an account of the AT Protocol, and use it.",
        no_args_is_help=False,
    )


class _Command(click.Command):
    """A command whose help begins with `usage:`."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix="usage: ")


class _Group(_Command, click.Group):
    """The same for the program."""


def _common() -> list[click.Parameter]:
    """Return the options of the program and of each command."""
    switches = [
        option(flag, is_flag=True, help=text) for flag, text in SWITCHES.items()
    ]
    return [
        *switches,
        option("--state-dir", metavar="DIR", help="where sessions are kept"),
        option("--handle-suffix", metavar="SUFFIX", help="what completes a bare word"),
        option(
            "--plc-url",
            metavar="URL",
            type=Parsed("url", _origin),
            help="the directory of did:plc",
        ),
        option(
            "--dns-nameservers",
            metavar="IP[:PORT],...",
            type=Parsed("addresses", _nameservers),
            help="name servers for handles, instead of the system's",
        ),
        option(
            "--ca-bundle",
            metavar="FILE",
            type=Parsed("file", _file),
            help="certificates (PEM) to trust, instead of the usual ones",
        ),
        _version_option(),
    ]


def _version_option() -> click.Option:
    def answer(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            click.echo(f"latchkey-atproto {VERSION}")
            ctx.exit()

    return option(
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=answer,
        help="print the version and do nothing else",
    )


def _defaults(outside: Outside) -> dict[str, Any]:
    """Return what is not given, from the environment, for `default_map` of click."""

    def named(name: str, otherwise: str | None = None) -> str | None:
        return outside.environ.get(PREFIX + name) or otherwise

    found = {
        "state_dir": named("STATE_DIR", str(outside.state_directory(DIRECTORY))),
        "handle_suffix": named("HANDLE_SUFFIX", ".bsky.social"),
        "plc_url": named("PLC_URL", PLC_DIRECTORY),
        "dns_nameservers": named("DNS_NAMESERVERS", ""),
        "ca_bundle": named("CA_BUNDLE"),
        "lab_network": named("LAB_NETWORK", "off"),
        "login": {"client_id": named("CLIENT_ID")},
    }
    return {name: value for name, value in found.items() if value is not None}


def _merged(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a command's values over those that stand before its name."""
    parent = click.get_current_context().parent
    before = {} if parent is None else parent.params
    return {**before, **{k: v for k, v in given.items() if v or k not in before}}
