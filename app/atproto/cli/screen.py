"""Output of the command line: results on stdout, everything else on stderr.

With `--json` stdout has exactly one JSON object, the result or the failure. Text of
hosts is printed without control characters, which a terminal would obey.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

from .failures import Failure

OBEYED: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""Control characters except the line feed, and bidirectional marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The output of one run of the program."""

    stdout: TextIO
    stderr: TextIO
    as_json: bool

    def say(self, text: str) -> None:
        """Print progress for the person at the terminal."""
        print(visible(text), file=self.stderr, flush=True)

    def show(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Print the result: as one JSON object, or as lines for people."""
        text = json.dumps(document) if self.as_json else "\n".join(lines)
        print(visible(text), file=self.stdout, flush=True)

    def show_bytes(self, content: bytes) -> None:
        """Print bytes unchanged."""
        self.stdout.flush()
        self.stdout.buffer.write(content)
        self.stdout.buffer.flush()

    def fail(self, failure: Failure) -> None:
        """Print a failure."""
        if self.as_json:
            document = {
                "error": failure.error,
                "error_description": failure.description,
                **failure.facts,
            }
            self.show(document, ())
        else:
            self.say(failure.description)


def visible(text: str) -> str:
    """Return a text whose control characters, except line feeds, are escaped."""
    return OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def table(rows: Mapping[str, object]) -> list[str]:
    """Return names and values in two columns, without those that are None."""
    given = {name: value for name, value in rows.items() if value is not None}
    width = max(map(len, given), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in given.items()]
