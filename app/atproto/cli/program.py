"""Runs one command of the command line: parse, run, explain failures, exit code."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from . import account, call, discover, login
from .failures import EXPECTED, Exit, explain
from .invocation import Invocation
from .options import parse
from .outside import Outside
from .screen import Screen

COMMANDS = (
    *login.COMMANDS,
    *account.COMMANDS,
    *discover.COMMANDS,
    *call.COMMANDS,
)


def run(arguments: Sequence[str], outside: Outside) -> int:
    """Run one command; return the exit code (docs/cli.md)."""
    screen = Screen(
        stdout=outside.stdout, stderr=outside.stderr, as_json="--json" in arguments
    )
    try:
        request = parse(COMMANDS, arguments, outside)
        if request is None:
            return Exit.OK
        options = request.options
        with _log(screen, is_verbose=options.verbose):
            request.run(Invocation(options=options, outside=outside, screen=screen))
    except EXPECTED as error:
        failure = explain(error)
        screen.fail(failure)
        return failure.exit
    return Exit.OK


@contextmanager
def _log(screen: Screen, *, is_verbose: bool) -> Iterator[None]:
    """Print the library's log with --verbose, and else keep Python from printing it."""
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
