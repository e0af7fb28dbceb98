"""The command line: `python -m app.atproto`, or `latchkey-atproto` once installed."""

from __future__ import annotations

import sys

from .cli.outside import Outside
from .cli.program import run


def main() -> int:
    """Run one command and return its exit code."""
    return run(sys.argv[1:], Outside())


if __name__ == "__main__":
    sys.exit(main())
