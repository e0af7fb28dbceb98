"""The log context: ids of a request, bound from threads and tasks."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
from contextvars import copy_context
from pathlib import Path

import pytest

from app.logs import FIELDS, IDS, TEXT, JsonFormatter, TextFormatter
from app.telemetry.context import (
    IDS_AT_ONCE,
    Entered,
    LogContext,
    begin,
    bind,
    bind_login,
    current,
    login_id_of,
    note_code,
    reference,
)
from tests.telemetry.logged import collected

ROOT = Path(__file__).resolve().parents[2]

GOOD = ["0123456789abcdef", "a" * 64, "Root-1.a:b_c-d", "12345678"]
BAD = [
    "",
    "short",
    "a" * 65,
    "with space",
    "a\nforged",
    "ünïcode-id",
    "a=b;c=d;e",
    "a/b/c/d/e",
]


@pytest.mark.parametrize("given", GOOD)
def test_begin_with_sane_id_takes_it(given):
    assert begin(given).request_id == given


@pytest.mark.parametrize("given", [*BAD, None])
def test_begin_with_any_other_id_makes_one(given):
    made = begin(given).request_id

    assert made != given
    assert len(made) == 16
    assert int(made, 16) >= 0


def test_ids_of_requests_are_all_different():
    made = {begin(None).request_id for _ in range(3 * IDS_AT_ONCE)}

    assert len(made) == 3 * IDS_AT_ONCE
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in made)


@pytest.mark.process
def test_ids_of_a_forked_process_are_different():
    begin(None)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, begin(None).request_id.encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 64).decode()

    assert len(theirs) == 16
    assert theirs not in {begin(None).request_id for _ in range(IDS_AT_ONCE)}


def test_bind_outside_of_a_request_does_nothing():
    bind(login_id="a", did="b", sid="c")
    note_code("internal")

    assert current() is None
    assert len(reference()) == 16


def test_bind_keeps_what_is_not_given():
    with Entered(LogContext("r")) as record:
        bind(did="did:plc:a")
        bind(sid="s")

    assert (record.did, record.sid, record.login_id) == ("did:plc:a", "s", "")


def test_bind_in_a_thread_reaches_the_request():
    with Entered(LogContext("r")) as record:
        run = copy_context().run
        thread = threading.Thread(target=run, args=(bind_login, "secret"))
        thread.start()
        thread.join()

    assert record.login_id == login_id_of("secret")


def test_requests_within_requests_keep_their_own_ids():
    with Entered(LogContext("outer")), Entered(LogContext("inner")):
        bind(did="did:plc:inner")
        inner = reference()

    with Entered(LogContext("outer")):
        assert (inner, reference()) == ("inner", "outer")


def test_login_id_is_a_part_of_the_hash_that_is_stored():
    """It is no credential: the secret does not follow from it."""
    assert hashlib.sha256(b"secret").hexdigest().startswith(login_id_of("secret"))
    assert len(login_id_of("secret")) == 16


def test_reference_is_the_login_id_else_the_request_id():
    with Entered(LogContext("request")):
        before = reference()
        bind_login("secret")

        assert (before, reference()) == ("request", login_id_of("secret"))


def test_every_record_of_a_request_has_its_ids_as_json():
    with collected() as log, Entered(LogContext("r1")):
        bind(login_id="l1", did="did:plc:a", sid="s1")
        logging.getLogger("app.x").warning("hello")

    (line,) = log.lines
    ids = {name: line[name] for name in ("request_id", "login_id", "did", "sid")}
    assert ids == {
        "request_id": "r1",
        "login_id": "l1",
        "did": "did:plc:a",
        "sid": "s1",
    }


def test_record_outside_of_a_request_has_no_ids():
    with collected() as log:
        logging.getLogger("app.x").warning("hello")

    assert set(log.lines[0]) == {"time", "level", "logger", "message"}


def test_ids_follow_the_message_in_text():
    record = logging.LogRecord("app", logging.INFO, "", 1, "hello", (), None)

    with Entered(LogContext("r1", did="did:plc:a")):
        line = TextFormatter(TEXT).format(record)

    assert line.endswith("app: hello request_id=r1 did=did:plc:a")


HOSTILE = 'x\r\n{"level": "forged"}\x1b[2J\u2028\x7f'


@pytest.mark.parametrize("formatter", [TextFormatter(TEXT), JsonFormatter()])
@pytest.mark.parametrize("name", ["path", "host", "error", "code", "address"])
def test_hostile_text_in_a_field_starts_no_line(formatter, name):
    record = logging.LogRecord("app", logging.INFO, "", 1, f"%({name})s", (), None)
    record.args = {name: HOSTILE}
    setattr(record, name, HOSTILE)

    with Entered(LogContext(HOSTILE, HOSTILE, HOSTILE, HOSTILE)):
        line = formatter.format(record)

    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_page_about_logs_has_every_field_and_no_other():
    page = (ROOT / "docs/logs.md").read_text(encoding="utf-8")
    table = page.partition("## Fields")[2]

    assert re.findall(r"(?m)^\| `(\w+)` \|", table) == [*IDS, *FIELDS]
