"""Log formatters: one line for each event, as text or as JSON.

The code that logs decides what is logged, and logs no secret (requirement 9.22). Here
every character that is not printable is escaped, in messages and in tracebacks: foreign
text starts no line, and sends no command to the terminal of its reader.
"""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Literal

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# The path of an awaiting app has the secret in it with which the app gets its token.
AWAITED = re.compile(r"(/auth/native/login/)[^/?\s'\"]+")

DELETE = "\x7f"  # the one control character that JSON leaves as it is

# Libraries whose debug lines are noise or must not be written: urllib3 logs the path
# and the query of each request.
QUIET = ("urllib3", "requests", "dns", "sqlalchemy", "alembic")


class TextFormatter(logging.Formatter):
    """Lines for people, in UTC; a traceback follows its line, indented."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line with its traceback, without secrets in paths."""
        lines = _without_secrets(super().format(record)).split("\n")
        return "\n  ".join(map(escaped, lines))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - inherited
        """Return one line, also for a message with line feeds."""
        return escaped(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for a log collector."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the event as JSON."""
        event = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            event["stack"] = record.stack_info
        line = _without_secrets(json.dumps(event, ensure_ascii=True))
        return line.replace(DELETE, "\\u007f")


def configure(*, level: str, style: Literal["text", "json"] | str) -> None:
    """Log to standard error; a second call changes the level and the format only."""
    root = logging.getLogger()
    handler = next((h for h in root.handlers if h.name == "latchkey"), None)
    if handler is None:
        handler = logging.StreamHandler()
        handler.name = "latchkey"
        root.addHandler(handler)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter(TEXT))
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_secrets(text: str) -> str:
    return AWAITED.sub(r"\1...", text)


def escaped(text: str) -> str:
    r"""Return the text with what is not printable as `\n`, `\x1b` or `\u202e`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
