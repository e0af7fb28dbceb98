"""The command line's output: results on stdout, everything else on stderr.

On a terminal the wait is one line that counts down; elsewhere a line appears only when
something has changed. With `--json` stdout gets exactly one object, errors too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import LoginRefused, NativeError
from .languages import gettext as _
from .sentences import sentence_of, trouble_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..records import LoginStarted
    from ..waiting import Waiting

BOLD, PLAIN, WIPE = "\x1b[1m", "\x1b[0m", "\r\x1b[K"


class OutputClosed(Exception):
    """The output cannot be written: a closed pipe, or a full disk."""


@dataclass(slots=True, kw_only=True)
class Screen:
    """Where the command line writes."""

    out: TextIO
    err: TextIO
    as_json: bool = False
    _last_status: str = field(default="", init=False)

    @property
    def is_live(self) -> bool:
        """Whether stderr is a terminal, on which a line may be overwritten."""
        return self.err.isatty()

    def result(self, sentence: str, document: Mapping[str, Any]) -> None:
        """Print the result: the sentence, or the object."""
        text = json.dumps(document, ensure_ascii=False) if self.as_json else sentence
        _write(text, self.out)

    def failure(self, code: str, sentence: str, **more: Any) -> None:
        """Print an error."""
        if self.as_json:
            given = {name: value for name, value in more.items() if value}
            self.result("", {"error": code, "error_description": sentence, **given})
            return
        reference = more.get("reference")
        if reference:
            sentence += " " + _("(reference {reference})").format(reference=reference)
        self.note(sentence)

    def error(self, error: NativeError) -> None:
        """Print an exception of the library."""
        if isinstance(error, LoginRefused):
            self.failure(
                error.code,
                sentence_of(error),
                reference=error.reference,
                retry_after=error.retry_after,
            )
            return
        cause = error.__cause__
        more = f" ({sentence_of(cause)})" if isinstance(cause, NativeError) else ""
        self.failure(error.code, f"{sentence_of(error)}{more}")

    def note(self, line: str) -> None:
        """Print a line beside the result."""
        _write(line, self.err)

    def login(self, started: LoginStarted, *, opening: bool) -> None:
        """Print the code to compare, and the address to open."""
        how = _("If no browser opens, go to:") if opening else _("Open in a browser:")
        self.note(_("Sign in with your browser. It must show this code:"))
        self.note("")
        for line in self._code(started.user_code):
            self.note(f"    {line}")
        self.note("")
        self.note(how)
        self.note(f"    {started.oauth_url}")
        self.note("")

    def waiting(self, waiting: Waiting) -> None:
        """Print the state of the wait."""
        status = _("Waiting for you to finish in the browser")
        if waiting.trouble is not None:
            trouble = trouble_of(waiting.trouble)
            status = _("Trying again: {trouble}").format(trouble=trouble)
        if self.is_live:
            minutes, seconds = divmod(int(waiting.seconds_left), 60)
            line = f"{status}  {minutes:d}:{seconds:02d}"
            _write(f"{WIPE}{line}", self.err, end="")
        elif status != self._last_status:
            self.note(status)
        self._last_status = status

    def settle(self) -> None:
        """Erase the line of the wait."""
        if self._last_status and self.is_live:
            _write(WIPE, self.err, end="")
        self._last_status = ""

    def _code(self, code: str) -> list[str]:
        if not self.is_live:
            return [code]
        spaced = "  ".join(code)
        edge = "+" + "-" * (len(spaced) + 6) + "+"
        return [edge, f"|   {BOLD}{spaced}{PLAIN}   |", edge]


def _write(text: str, file: TextIO, *, end: str = "\n") -> None:
    try:
        print(text, end=end, file=file, flush=True)
    except OSError as error:
        raise OutputClosed from error
