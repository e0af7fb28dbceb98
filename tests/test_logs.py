"""What a line of the log looks like, and what it never holds."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from app.logs import TEXT, JsonFormatter, TextFormatter

CANARY = "canary-await-secret"
AWAIT = f"/auth/native/login/{CANARY}/await"
FORMATTERS = [TextFormatter(TEXT), JsonFormatter()]


def record(message, *arguments, exc_info=None):
    return logging.LogRecord(
        "app", logging.INFO, __file__, 1, message, arguments, exc_info
    )


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize("path", [AWAIT, AWAIT + "/", AWAIT[:-6], f"{AWAIT}?a=b"])
def test_await_secret_is_in_no_log_line(formatter, path):
    line = formatter.format(record('"GET %s" 200', path))

    assert "/auth/native/login/..." in line
    assert CANARY not in line


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_await_secret_is_in_no_traceback(formatter):
    try:
        int(AWAIT)
    except ValueError:
        line = formatter.format(record("failed", exc_info=sys.exc_info()))

    assert "ValueError" in line
    assert CANARY not in line


def test_a_json_line_stays_json():
    line = FORMATTERS[1].format(record("a secret at the end of %s", AWAIT[:-6]))

    assert (
        json.loads(line)["message"] == "a secret at the end of /auth/native/login/..."
    )


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_line_feed_in_message_starts_no_log_line(formatter):
    assert "\n" not in formatter.format(record("one\r\ntwo"))


CONTROLS = "\x00\x07\x08\x1b[2J\x7f\x85\x9b\u2028\u202e\ufeff\udc85\r\n"


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_unprintable_characters_in_a_message_are_escaped(formatter):
    line = formatter.format(record("GET %s", f"/x{CONTROLS}y \u00e9"))

    assert line.isprintable()
    assert "1b[2J" in line


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_unprintable_characters_in_a_traceback_are_escaped(formatter):
    error = ValueError(f"{CONTROLS}forged")

    text = formatter.format(record("failed", exc_info=(ValueError, error, None)))

    lines = text.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("forged") for line in lines)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_stack_of_a_record_is_part_of_the_event(formatter):
    event = record("stuck")
    event.stack_info = '  File "views.py", line 3, in slow'

    text = formatter.format(event)

    assert "in slow" in text
    assert not any(line.startswith("File") for line in text.split("\n"))
