"""Runs gunicorn with the shipped configuration, on a socket in a directory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
ANSWERS_WITHIN = 30.0
ENDS_WITHIN = 60.0  # gunicorn itself ends a worker that does not after 30


class LocalConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("latchkey", timeout=ANSWERS_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Server:
    """A running gunicorn: where it listens, and what it has logged so far."""

    path: Path
    log: Path
    pid: int

    def get(self, target: str, headers: dict[str, str] | None = None) -> str:
        connection = LocalConnection(self.path)
        try:
            connection.request("GET", target, headers=headers or {})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def worker(self) -> int:
        """Return the process id of the only worker."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        (pid,) = map(int, children.read_text().split())
        return pid

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that the worker has taken so far."""
        return cpu_seconds_of(self.worker())

    def send(self, request: bytes) -> bytes:
        """Send bytes that need not be HTTP and return the answer up to its end."""
        connection = LocalConnection(self.path)
        connection.connect()
        with connection.sock as raw:
            raw.sendall(request)
            raw.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: raw.recv(4096), b""))


def cpu_seconds_of(pid: int) -> float:
    """Return the CPU seconds of all threads of a process so far, to the nanosecond.

    Linux reads the clock of another process under this number (clock_getcpuclockid):
    the ticks of /proc are longer than a hundred requests.
    """
    return time.clock_gettime(~pid << 3 | 2)


def start_gunicorn(
    application: str, settings: dict[str, str], log: IO[str]
) -> subprocess.Popen[str]:
    """Start gunicorn with one worker and these settings in its environment.

    A setting with an empty value is left out.
    """
    variables = {"PATH": os.defpath, "WEB_CONCURRENCY": "1", **settings}
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", application],
        cwd=ROOT,
        env={name: value for name, value in variables.items() if value},
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def serving(application: str, directory: Path, **more: str) -> Iterator[Server]:
    """Serve an application until the block ends; its log is complete afterwards.

    Keyword arguments are further variables of its environment.
    """
    path, log_path = directory / "http.sock", directory / "log"
    with log_path.open("w") as log:
        settings = {"LATCHKEY_BIND": f"unix:{path}", **more}
        process = start_gunicorn(application, settings, log)
        server = Server(path=path, log=log_path, pid=process.pid)
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def _wait_until_ready(server: Server, process: subprocess.Popen[str]) -> None:
    for _ in range(300):
        if "has started" in server.log.read_text():
            return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise RuntimeError(f"gunicorn ended:\n{server.log.read_text()}")
    raise RuntimeError(f"gunicorn is not ready:\n{server.log.read_text()}")
