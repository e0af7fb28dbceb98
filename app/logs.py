"""Log formatters: one line for each event, as text or as JSON (docs/logs.md).

The code that logs decides what is logged, and logs no secret (requirement 9.22). Here
every character that is not printable is escaped, in messages and in tracebacks: foreign
text starts no line, and sends no command to the terminal of its reader. Each record
gets the ids of its request from `telemetry.context`.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any, Literal

from app.telemetry import context

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

IDS = ("request_id", "login_id", "did", "sid")
"""Fields of every record of a request, where they are known."""

FIELDS = (
    *("method", "path", "status", "grpc_status", "ms", "address", "agent"),
    *("code", "host", "error"),
)
"""Fields that a record may have of its own: `extra` of the call that logs."""

# The path of an awaiting app has the secret in it with which the app gets its token.
AWAIT_PATH = "/auth/native/login/"
AWAITED = re.compile(rf"({AWAIT_PATH})[^/?\s'\"]+")

DELETE = "\x7f"  # the one control character that JSON leaves as it is

# Libraries whose debug lines are noise or must not be written: urllib3 logs the path
# and the query of each request, authlib logs tokens.
QUIET = ("urllib3", "requests", "dns", "sqlalchemy", "alembic", "authlib")


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
        """Return one line, also for a message with line feeds, and the ids after it."""
        ids = "".join(f" {name}={value}" for name, value in _ids())
        return escaped(super().formatMessage(record) + ids)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for a log collector."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the event as JSON."""
        event: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **dict(_ids()),
        }
        event |= {name: record.__dict__[name] for name in FIELDS if _has(record, name)}
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            event["stack"] = record.stack_info
        line = _without_secrets(json.dumps(event, ensure_ascii=True))
        return line.replace(DELETE, "\\u007f")


def configure(
    *, level: str, style: Literal["text", "json"] | str, access: bool = True
) -> None:
    """Log to standard error; a second call changes level, format and access lines."""
    root = logging.getLogger()
    handler = next((h for h in root.handlers if h.name == "latchkey"), None)
    if handler is None:
        handler = logging.StreamHandler()
        handler.name = "latchkey"
        root.addHandler(handler)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter(TEXT))
    root.setLevel(level.upper())
    logging.getLogger(context.ACCESS).disabled = not access
    # No line names them, and looking them up for each takes as long as its time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _ids() -> Iterator[tuple[str, str]]:
    """Yield the ids of the request under way that are known."""
    record = context.current()
    if record is not None:
        for name in IDS:
            if value := getattr(record, name):
                yield name, value


def _has(record: logging.LogRecord, name: str) -> bool:
    return record.__dict__.get(name) not in {None, ""}


def _without_secrets(text: str) -> str:
    # Most lines have no such path, and looking for a text is quicker.
    return AWAITED.sub(r"\1...", text) if AWAIT_PATH in text else text


def escaped(text: str) -> str:
    r"""Return the text with what is not printable as `\n`, `\x1b` or `\u202e`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
