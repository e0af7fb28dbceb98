"""The command line's grammar: commands, options, and what stands in the environment.

Options that every command has may stand before or after its name; what is not given is
looked for in the environment, under the names of the service's settings.
"""

from __future__ import annotations

import argparse
import re
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..errors import IdentifierInvalid
from ..open_client import PLC_DIRECTORY
from ..syntax.grammar import parse_origin
from .failures import PROGRAM, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX: Final = "LATCHKEY_"
LONGEST_TIMEOUT: Final = 3600.0
DNS_PORT: Final = 53
ADDRESS: Final = re.compile(
    r"(?P<bare>[0-9a-fA-F]*:[0-9a-fA-F:.]+)|(?P<v4>[0-9.]+)(?::(?P<port4>[0-9]{1,5}))?"
    r"|\[(?P<v6>[0-9a-fA-F:.]+)\](?::(?P<port6>[0-9]{1,5}))?"
)


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are raised, to be shown like any other failure."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            UsageError: always.
        """
        raise UsageError(message)


def file(text: str) -> str:
    """Return the path of a file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return text


def origin(text: str) -> str:
    """Return an origin, https or in a laboratory http."""
    try:
        return parse_origin(text, allow_http=True)
    except IdentifierInvalid as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no origin: {error}") from error


def nameservers(text: str) -> tuple[tuple[str, int], ...]:
    """Return addresses and ports: 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53."""
    return tuple(_nameserver(part.strip()) for part in text.split(",") if part.strip())


def _nameserver(text: str) -> tuple[str, int]:
    """Read one of them; an IPv6 address with a port stands in brackets."""
    parts = ADDRESS.fullmatch(text)
    message = f"{text!r} is no address of a name server"
    if parts is None:
        raise argparse.ArgumentTypeError(message)
    try:
        address = ip_address(parts["bare"] or parts["v4"] or parts["v6"])
    except ValueError:
        raise argparse.ArgumentTypeError(message) from None
    return str(address), int(parts["port4"] or parts["port6"] or DNS_PORT)


def seconds(text: str) -> float:
    """Return a time limit."""
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit <= LONGEST_TIMEOUT:
        message = f"{text!r} is not a number of seconds up to {LONGEST_TIMEOUT:.0f}"
        raise argparse.ArgumentTypeError(message)
    return limit


SWITCHES: Final = {
    "--json": "print one JSON object, also when something fails",
    "--verbose": "tell on stderr what the library notices",
    "--lab-network": "a test network: http, private addresses, any port, .test names",
}
SETTINGS: Final[tuple[tuple[str, str | None, dict[str, Any]], ...]] = (
    ("--state-dir", None, {"metavar": "DIR", "help": "where sessions are kept"}),
    (
        "--handle-suffix",
        ".bsky.social",
        {"metavar": "SUFFIX", "help": "what completes a bare word"},
    ),
    (
        "--plc-url",
        PLC_DIRECTORY,
        {"metavar": "URL", "type": origin, "help": "the directory of did:plc"},
    ),
    (
        "--dns-nameservers",
        "",
        {
            "metavar": "IP[:PORT],...",
            "type": nameservers,
            "help": "name servers for handles, instead of the system's",
        },
    ),
    (
        "--ca-bundle",
        None,
        {
            "metavar": "FILE",
            "type": file,
            "help": "certificates (PEM) to trust, instead of the usual ones",
        },
    ),
)


def build_parser(environ: Mapping[str, str]) -> tuple[Parser, Any]:
    """Return the parser, and what commands are added to."""
    parser = Parser(
        prog=PROGRAM,
        description="Sign in with an account of the AT Protocol, and use it.",
        allow_abbrev=False,
    )
    for flag, text in SWITCHES.items():
        parser.add_argument(flag, action="store_true", help=text)
    for flag, default, how in SETTINGS:
        name = PREFIX + flag.removeprefix("--").replace("-", "_").upper()
        parser.add_argument(flag, default=environ.get(name) or default, **how)
    parser.set_defaults(
        state_dir=environ.get(f"{PREFIX}STATE_DIR") or str(state_directory(environ)),
        lab_network=_is_on(environ.get(f"{PREFIX}LAB_NETWORK", "off")),
    )
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    return parser, commands


def _is_on(text: str) -> bool:
    """Read a switch as the service's settings do."""
    match text.lower():
        case "on" | "true" | "yes" | "1":
            return True
        case "off" | "false" | "no" | "0" | "":
            return False
        case _:
            raise UsageError(f"{PREFIX}LAB_NETWORK={text} is neither on nor off")


def add_command(commands: Any, name: str, summary: str) -> Parser:
    """Add a command, with the options that every command has."""
    parser: Parser = commands.add_parser(
        name, help=summary, description=f"{summary}.", allow_abbrev=False
    )
    for flag, text in SWITCHES.items():
        parser.add_argument(
            flag, action="store_true", default=argparse.SUPPRESS, help=text
        )
    group = parser.add_argument_group("another network, or another place")
    for flag, _, how in SETTINGS:
        group.add_argument(flag, default=argparse.SUPPRESS, **how)
    return parser


def add_account(parser: Parser) -> None:
    """Let a command name one of several accounts."""
    parser.add_argument(
        "--account",
        metavar="HANDLE|DID",
        help="the account; the last one signed in if left out",
    )


def add_timeout(parser: Parser, *, default: float, meaning: str) -> None:
    """Let a command have another time limit."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=default,
        metavar="SECONDS",
        help=f"{meaning} ({default:.0f})",
    )


def parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    `key=value` may stand among the options: argparse alone wants them together.

    Raises:
        UsageError: it makes no sense.
    """
    options, rest = parser.parse_known_args(arguments)
    takes_words = hasattr(options, "parameters")
    if rest and (not takes_words or any(word.startswith("-") for word in rest)):
        raise UsageError(f"not understood: {' '.join(rest)}")
    if takes_words:
        options.parameters += rest
    return options


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where a program of this person keeps what it remembers.

    The XDG base directory specification has relative paths ignored.
    """
    given = Path(environ.get("XDG_STATE_HOME", ""))
    home = Path(environ.get("HOME") or Path.home())
    if given.is_absolute():
        base = given
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = home / ".local" / "state"
    return base / "latchkey-atproto"
