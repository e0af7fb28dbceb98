"""`python -m app.native login | resume | session | logout`."""

from __future__ import annotations

import sys

from .arguments import build_parser
from .commands import run
from .screen import Screen


def main() -> int:
    """Run the command that was given and return its exit code."""
    options = build_parser().parse_args()
    return run(options, Screen(out=sys.stdout, err=sys.stderr, as_json=options.json))


if __name__ == "__main__":
    sys.exit(main())
