"""`python -m app.native login | resume | session | logout`."""

from __future__ import annotations

import os
import sys

try:
    from .cli.arguments import parse
except ImportError as error:
    if error.name != "click":
        raise
    sys.exit(
        "The command line needs the package click: pip install 'latchkey-native[cli]'"
    )
from .cli.commands import run
from .cli.exit_codes import Exit
from .cli.terminal import OutputClosed, Screen


def main() -> int:
    """Run the command that was given and return its exit code."""
    options = parse()
    if isinstance(options, int):
        return options
    screen = Screen(out=sys.stdout, err=sys.stderr, as_json=options.json)
    try:
        return run(options, screen)
    except OutputClosed:
        # What is left in the buffer would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.FAILED


if __name__ == "__main__":
    sys.exit(main())
