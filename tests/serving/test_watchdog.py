"""A worker that is stuck in one request is logged and replaced, seen on gunicorn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from tests.serving.server import Server, serving

pytestmark = pytest.mark.process


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; the test fails when it never comes."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def workers(server: Server) -> list[str]:
    return Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()


def test_stuck_worker_is_logged_replaced_and_finishes_its_requests(tmp_path: Path):
    release = tmp_path / "release"
    with (
        serving("tests.serving.stuck:app", tmp_path) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        stuck_pid = server.get("/")
        waiting = pool.submit(server.get, f"/wait?{release}")
        until(lambda: server.get("/") == stuck_pid)
        stuck = pool.submit(server.get, f"/stick?{release}")

        until(lambda: "is stuck in one request" in server.log.read_text())
        replacement = server.get("/")
        assert replacement != stuck_pid
        assert not waiting.done()

        release.touch()
        assert stuck.result() == waiting.result() == stuck_pid
        until(lambda: workers(server) == [replacement])

    log = server.log.read_text()
    (line,) = [line for line in log.splitlines() if "is stuck in one request" in line]
    assert f" ERROR   gunicorn.error: Worker (pid:{stuck_pid}) is stuck" in line
    assert ", in stick" in log
    assert "WORKER TIMEOUT" not in log


def test_worker_whose_hub_never_runs_again_is_killed_after_the_timeout(tmp_path: Path):
    never = tmp_path / "never"
    options = {"GUNICORN_CMD_ARGS": "--timeout 4"}
    with (
        serving("tests.serving.stuck:app", tmp_path, **options) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        stuck_pid = server.get("/")
        stuck = pool.submit(server.get, f"/stick?{never}")

        with pytest.raises((RemoteDisconnected, ConnectionError)):
            stuck.result()

        until(lambda: stuck_pid not in workers(server))
        assert server.get("/") != stuck_pid
        until(lambda: len(workers(server)) == 1)


@pytest.mark.parametrize("asked", ["", "3"])
def test_number_of_workers_follows_the_cores_unless_it_is_set(
    tmp_path: Path, asked: str
):
    cores = len(os.sched_getaffinity(0))
    expected = int(asked) if asked else min(2, cores)
    settings = {"WEB_CONCURRENCY": asked}
    with serving("tests.serving.echo:app", tmp_path, **settings) as server:
        until(lambda: len(workers(server)) == expected)
