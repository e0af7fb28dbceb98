"""gunicorn.conf.py on a running server: concurrency, headers, logs, start."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import VERSION
from app.stores.sql.database import open_database
from tests.serving.server import Server, serving, start_gunicorn

pytestmark = pytest.mark.process

CANARY = "canary-code"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("tests.serving.echo:app", tmp_path_factory.mktemp("run")) as server:
        yield server


def test_waiting_request_does_not_block_others(server):
    """Requirement 3.13: our metadata is served while our own request waits."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.get, "/wait")
        server.get("/")

        assert not waiting.done()
        assert server.get("/release") == "releasing"
        assert waiting.result() == "released"


def test_silent_dns_lookups_do_not_block_others(server):
    """Requirement 9.6: lookups are real threads, of which gevent has ten by default."""
    with ThreadPoolExecutor(32) as pool:
        silent = [pool.submit(server.get, "/silence") for _ in range(32)]
        for _ in range(200):
            if (silences := server.get("/silences")) == "32":
                break
            time.sleep(0.05)
        assert silences == "32"

        server.get("/lookup")

        assert not any(one.done() for one in silent)
        server.get("/end")


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl"]
)
def test_forwarded_scheme_headers_are_ignored_by_gunicorn(server, header):
    value = "on" if header.endswith("Ssl") else "https"

    assert server.get("/", {header: value}) == "http "


def test_script_name_header_is_ignored(server):
    assert server.get("/", {"SCRIPT_NAME": "/evil"}) == "http "


def test_no_query_string_is_logged(tmp_path: Path):
    """Callback URLs carry codes and states (requirement 9.22)."""
    callback = f"/auth/callback?code={CANARY}"
    with serving("tests.serving.echo:app", tmp_path) as server:
        server.get(callback)
        server.get("/", {"Referer": f"https://auth.platform.internal{callback}"})
        server.get(f"/fail?code={CANARY}")
        answer = server.send(f"GET {callback} HTTP/9\r\n\r\n".encode())

    log = server.log.read_text()

    assert b" 400 " in answer
    assert "Error handling request GET /fail?..." in log
    assert "Invalid request" in log
    assert CANARY not in log


@pytest.mark.parametrize("style", ["text", "json"])
def test_log_escapes_unprintable_characters(tmp_path: Path, style: str):
    settings = {"LATCHKEY_LOG_FORMAT": style}
    with serving("tests.serving.echo:app", tmp_path, **settings) as server:
        server.send(b"GET /x\x1b[2J\x07\x7f\xc2\x85\xc2\x9by HTTP/9\r\n\r\n")

    log = server.log.read_bytes().decode("utf-8")

    assert "1b[2J" in log
    assert all(line.isprintable() for line in log.removesuffix("\n").split("\n"))


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A database with tables and without keys."""
    url = f"sqlite:///{tmp_path}/latchkey.db"
    database = open_database(url)
    database.apply_schema()
    database.close()
    return {
        "LATCHKEY_DATABASE_URL": url,
        "LATCHKEY_SECRET_KEY": secrets.token_urlsafe(32),
    }


def changed(settings: dict[str, str], *statements: str) -> None:
    database = open_database(settings["LATCHKEY_DATABASE_URL"])
    with database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    database.close()


def ended(settings: dict[str, str], folder: Path) -> tuple[int, list[str]]:
    """Start a gunicorn that ends by itself; return its status and its log."""
    log = folder / "log"
    with log.open("w") as output:
        code = start_gunicorn("wsgi:app", settings, output).wait(30)
    return code, log.read_text().splitlines()


def test_worker_serves_after_fork_without_errors(tmp_path: Path, settings):
    """No thread and no connection, which a fork breaks, is made before the fork."""
    with serving("wsgi:app", tmp_path, **settings) as server:
        answer = json.loads(server.get("/healthz"))

    log = server.log.read_text()

    assert answer == {"status": "ok", "version": VERSION}
    assert f"Latchkey {VERSION} has started" in log
    assert "Booting worker" in log
    assert "Traceback" not in log
    errors = [line for line in log.splitlines() if " ERROR " in line]
    assert all("not ready: keys" in line for line in errors), errors


def test_worker_without_keys_logs_what_is_missing(tmp_path: Path, settings):
    with serving("wsgi:app", tmp_path, **settings) as server:
        server.get("/healthz")

    assert "not ready: keys" in server.log.read_text()
    assert "flask --app wsgi init" in server.log.read_text()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM alembic_version", "run `flask --app wsgi upgrade`"),
        (
            "UPDATE alembic_version SET version_num = '9.9'",
            "does not know the schema of release 9.9",
        ),
        (None, "run `flask --app wsgi init`"),
    ],
)
def test_service_on_another_schema_exits_with_one_line(
    tmp_path: Path, settings, statement, reason
):
    if statement is None:
        (tmp_path / "empty.db").touch(0o600)
        settings["LATCHKEY_DATABASE_URL"] = f"sqlite:///{tmp_path}/empty.db"
    else:
        changed(settings, statement, "DELETE FROM schema_support")

    code, log = ended(settings, tmp_path)

    assert code == 1
    assert reason in log[-1]
    assert "Traceback" not in "\n".join(log)
    assert "Booting worker" not in "\n".join(log)


def test_service_starts_while_the_database_is_down(tmp_path: Path):
    down = {"LATCHKEY_DATABASE_URL": f"postgresql://unknown@/none?host={tmp_path}"}
    down["LATCHKEY_SECRET_KEY"] = secrets.token_urlsafe(32)
    with serving("wsgi:app", tmp_path, **down) as server:
        assert json.loads(server.get("/healthz"))["status"] == "ok"

    assert "the database does not answer" in server.log.read_text()


def test_process_with_an_invalid_setting_exits_with_one_line(tmp_path: Path):
    code, log = ended({"LATCHKEY_BIND": "here"}, tmp_path)

    assert code == 1
    assert log == [
        "LATCHKEY_BIND: 'here' is no IP address with a port, as in 127.0.0.1:8000"
    ]


def test_log_lines_of_requests_at_the_same_time_have_their_own_ids(tmp_path: Path):
    """Each greenlet has a context of its own, also while a body is streamed."""
    names = [f"request-{number:02}" for number in range(24)]
    settings = {"LATCHKEY_LOG_FORMAT": "json"}
    with (
        serving("tests.serving.steps:app", tmp_path, **settings) as server,
        ThreadPoolExecutor(len(names)) as pool,
    ):
        list(
            pool.map(
                lambda name: server.get(f"/?{name}", {"X-Request-Id": name}), names
            )
        )

    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    steps = [line for line in lines if line["logger"] == "steps"]
    assert len(steps) == 4 * len(names)
    for line in steps:
        name = line["message"].partition(" ")[0]
        assert (line["request_id"], line["login_id"]) == (name, name)
