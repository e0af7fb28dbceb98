"""From the command line to an exit code: parse, run one command, explain failures."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import account, call, discover, login
from .arguments import build_parser, parse
from .failures import EXPECTED, Exit, explain
from .invocation import Invocation
from .outside import Outside
from .screen import Screen

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

COMMANDS = (login, account, discover, call)


def run(arguments: Sequence[str], outside: Outside) -> int:
    """Run one command; return the exit code (docs/cli.md)."""
    screen = Screen(
        stdout=outside.stdout, stderr=outside.stderr, as_json="--json" in arguments
    )
    try:
        options = _options(arguments, outside)
        with _log(screen, is_verbose=options.verbose):
            options.run(Invocation(options=options, outside=outside, screen=screen))
    except EXPECTED as error:
        failure = explain(error)
        screen.fail(failure)
        return failure.exit
    return Exit.OK


def _options(arguments: Sequence[str], outside: Outside) -> argparse.Namespace:
    parser, commands = build_parser(outside.environ)
    for command in COMMANDS:
        command.add(commands, outside.environ)
    return parse(parser, arguments)


@contextmanager
def _log(screen: Screen, *, is_verbose: bool) -> Iterator[None]:
    """Show what the library logs, or keep Python from showing it by itself."""
    handler: logging.Handler = logging.NullHandler()
    if is_verbose:
        handler = logging.StreamHandler(screen.stderr)
    library = logging.getLogger(__name__.partition(".cli.")[0])
    level = library.level
    library.addHandler(handler)
    if is_verbose:
        library.setLevel(logging.INFO)
    try:
        yield
    finally:
        library.removeHandler(handler)
        library.setLevel(level)
