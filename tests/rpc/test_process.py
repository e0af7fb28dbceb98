"""`python -m app.rpc` as an operator starts it, and as systemd ends it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import grpc
import pytest

from app.config import VERSION
from app.metrics.directory import registry_of
from app.rpc.listener import CannotListen
from app.stores.sql.database import open_database
from tests.metrics.scraped import Scrape
from tests.rpc.running import ANSWERS_WITHIN, App
from tests.rpc.test_health import AUTH, NOT_SERVING, check, health_pb2_grpc
from tests.rpc.test_tls import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.rpc.running import Running
    from tests.service import Service

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
ENDS_WITHIN = 60.0


def start(folder: Path, log: IO[str], **settings: str) -> subprocess.Popen[str]:
    """Start the listener with nothing but these settings in its environment.

    The database of the folder has tables, but no keys.
    """
    create_tables(folder)
    usual = {
        "PATH": os.defpath,
        "LATCHKEY_DATABASE_URL": f"sqlite:///{folder}/latchkey.db",
        "LATCHKEY_SECRET_KEY": secrets.token_urlsafe(32),
        "LATCHKEY_RPC_BIND": f"unix:{folder}/rpc.sock",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "app.rpc"],
        cwd=ROOT,
        env={**usual, **settings},
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    )


def create_tables(folder: Path) -> None:
    database = open_database(f"sqlite:///{folder}/latchkey.db")
    database.apply_schema()
    database.close()


def ended(folder: Path, **settings: str) -> tuple[int, list[str]]:
    """Start a listener that ends by itself; return its status and its log."""
    log = folder / "log"
    with log.open("w") as output:
        code = start(folder, output, **settings).wait(ENDS_WITHIN)
    return code, log.read_text().splitlines()


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    with (folder / "log").open("w") as log:
        process = start(folder, log, **settings)
        try:
            yield process
        finally:
            process.kill()
            process.wait(ENDS_WITHIN)


def speaks_http(path: Path) -> bytes:
    """Say what no TLS server understands, and return its answer."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(ANSWERS_WITHIN)
        for _ in range(300):
            try:
                raw.connect(str(path))
                break
            except OSError:
                time.sleep(0.1)
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return raw.recv(100)


def test_process_serves_and_ends_on_sigterm(tmp_path: Path):
    with serving(tmp_path) as process:
        with grpc.insecure_channel(f"unix:{tmp_path}/rpc.sock") as channel:
            grpc.channel_ready_future(channel).result(ANSWERS_WITHIN)
            state = check(health_pb2_grpc.HealthStub(channel), AUTH)
        mode = (tmp_path / "rpc.sock").stat().st_mode
        process.send_signal(signal.SIGTERM)
        code = process.wait(ENDS_WITHIN)

    log = (tmp_path / "log").read_text()
    assert code == 0
    assert state == NOT_SERVING  # `init` has not run here
    assert "not ready: keys" in log
    assert f"the gRPC listener is ready: unix:{tmp_path}/rpc.sock, clear text" in log
    assert "the gRPC listener stops" in log
    assert "Traceback" not in log
    assert mode & 0o007 == 0


def test_process_without_flask_serves(tmp_path: Path):
    """The gRPC process needs no web framework: here each import of one fails."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("flask", "jinja2", "werkzeug"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is blocked')")

    with (
        serving(tmp_path, PYTHONPATH=str(blocked)),
        grpc.insecure_channel(f"unix:{tmp_path}/rpc.sock") as channel,
    ):
        grpc.channel_ready_future(channel).result(ANSWERS_WITHIN)
        state = check(health_pb2_grpc.HealthStub(channel), AUTH)

    assert state == NOT_SERVING  # `init` has not run here


@pytest.mark.parametrize(
    ("option", "said"), [("--help", "Usage: python -m app.rpc"), ("--version", VERSION)]
)
def test_help_and_version_answer_and_start_no_listener(
    tmp_path: Path, option: str, said: str
):
    """They need no setting."""
    result = subprocess.run(
        [sys.executable, "-m", "app.rpc", option],
        cwd=ROOT,
        env={"PATH": os.defpath, "LATCHKEY_RPC_BIND": f"unix:{tmp_path}/rpc.sock"},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(said)
    assert not (tmp_path / "rpc.sock").exists()


def test_json_log_has_no_lines_of_the_grpc_core(tmp_path: Path):
    """With LOG_FORMAT=json each line is JSON, after failed handshakes too."""
    files = Files(tmp_path)
    secured = {
        "LATCHKEY_RPC_TLS_CERTIFICATE": str(files.pair.certificate),
        "LATCHKEY_RPC_TLS_KEY": str(files.pair.key),
        "LATCHKEY_LOG_FORMAT": "json",
    }
    with serving(tmp_path, **secured) as process:
        sent = speaks_http(tmp_path / "rpc.sock")
        process.send_signal(signal.SIGTERM)
        process.wait(ENDS_WITHIN)

    lines = (tmp_path / "log").read_text().splitlines()
    assert sent == b""  # hung up on
    assert [json.loads(line)["message"] for line in lines][-1].endswith("stops")


def test_process_with_an_invalid_setting_exits_with_one_line(tmp_path: Path):
    code, lines = ended(tmp_path, LATCHKEY_RPC_BIND="localhost:50051")

    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("LATCHKEY_RPC_BIND: 'localhost:50051' is no IP address")


def test_process_with_a_foreign_address_exits_with_one_line(tmp_path: Path):
    code, lines = ended(
        tmp_path, LATCHKEY_RPC_BIND="192.0.2.7:50051", LATCHKEY_RPC_CLEAR_TEXT="on"
    )

    assert code == 1
    assert lines[-1] == (
        "cannot listen on 192.0.2.7:50051: it is taken, or not this machine's"
    )
    assert not any("Traceback" in line for line in lines)


def test_second_listener_on_an_address_raises_cannot_listen(
    listens: Callable[..., Running], service: Service
):
    first = listens(service)

    with pytest.raises(CannotListen):
        listens(service, bind=first.target)


def test_process_on_an_empty_database_exits_with_one_line(tmp_path: Path):
    (tmp_path / "empty.db").touch()

    code, log = ended(tmp_path, LATCHKEY_DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")

    assert code == 1
    assert log == ["the database has no tables yet: run `flask --app wsgi init`"]


def test_process_logs_its_release(tmp_path: Path):
    with (
        serving(tmp_path),
        grpc.insecure_channel(f"unix:{tmp_path}/rpc.sock") as channel,
    ):
        grpc.channel_ready_future(channel).result(ANSWERS_WITHIN)

    assert f"Latchkey {VERSION} serves gRPC" in (tmp_path / "log").read_text()


def test_process_counts_where_the_exporter_of_the_host_reads(tmp_path: Path):
    counts = tmp_path / "counts"
    settings = {
        "LATCHKEY_METRICS_BIND": "127.0.0.1:9464",  # served by gunicorn's exporter
        "PROMETHEUS_MULTIPROC_DIR": str(counts),
    }
    with (
        serving(tmp_path, **settings),
        grpc.insecure_channel(f"unix:{tmp_path}/rpc.sock") as channel,
    ):
        grpc.channel_ready_future(channel).result(ANSWERS_WITHIN)
        with pytest.raises(grpc.RpcError):
            App(channel).initiates("not a handle")
        seen = Scrape.of(registry_of(counts))

    refused = {"step": "start", "outcome": "refused", "code": "invalid_identifier"}
    assert seen.value("latchkey_sign_ins_total", **refused) == 1
    assert seen.value("latchkey_failures_total", code="invalid_identifier") == 1
