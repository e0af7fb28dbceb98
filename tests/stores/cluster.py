"""A PostgreSQL server of our own, for as long as the tests run.

It listens on a socket in its own folder and nowhere else. PostgreSQL refuses to run as
root, so as root it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 60.0
# A crash of the machine may lose this cluster: nothing waits for the disk.
SPEED = ["-c", "fsync=off", "-c", "full_page_writes=off"]


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a cluster and yield its URL; skip where there is no server to run."""
    with cluster() as running:
        yield running.url


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster that can be paused and restarted; skip where there is none."""
    binaries = _binaries()
    user = _unprivileged_user()
    # Not pytest's folder: the path of a socket may be a hundred characters at most.
    folder = Path(tempfile.mkdtemp(prefix="latchkey-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        _run(binaries / "initdb", "-D", folder / "data", *INITDB, user=user)
        with closing(Cluster(binaries / "postgres", folder, user)) as running:
            yield running
    finally:
        shutil.rmtree(folder)


INITDB = [
    "-U",
    "latchkey",
    "--auth=trust",
    "--no-sync",
    "--encoding=UTF8",
    "--locale=C",
]


def _binaries() -> Path:
    found = [Path(path).parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL's initdb and postgres are not on this machine")


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    pytest.skip("PostgreSQL does not run as root, and there is no other user")


def _run(program: Path, *arguments: object, user: str | None) -> None:
    done = subprocess.run(
        [program, *map(str, arguments)],
        user=user,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{program.name}: {done.stdout}{done.stderr}")


class Cluster:
    """A running server, which a test may pause, restart and end."""

    def __init__(self, program: Path, folder: Path, user: str | None) -> None:
        self.url = f"postgresql://latchkey@/postgres?host={folder}"
        self._program, self._folder, self._user = program, folder, user
        self.start()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        log = self._folder / "log"
        command = [self._program, "-D", self._folder / "data", "-k", self._folder]
        with log.open("wb") as output:
            self._server = subprocess.Popen(
                [*command, "-h", "", *SPEED],
                user=self._user,
                cwd="/",
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                stdout=output,
                stderr=output,
            )
        _await(self._server, self._folder, log)

    def close(self) -> None:
        """Shut down, closing every connection (what `pg_ctl stop -m fast` does)."""
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait(10)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Be shut down for the time of a block."""
        self.close()
        yield
        self.start()

    def require_password(self) -> None:
        """Restart with a password for each connection; roles without one stay out."""
        with self.down():
            rules = self._folder / "data" / "pg_hba.conf"
            rules.write_text("local all all scram-sha-256\n")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop every process for the time of a block; connections stay open."""
        with stopped(self.url):
            yield


def processes_of(url: str) -> list[int]:
    """Return a cluster's server and its children, the server first."""
    folder = Path(str(make_url(url).query["host"]))
    pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """Stop a cluster with all of its processes, as a machine that hangs."""
    pids = processes_of(url)
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _await(server: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    ready = folder / "data" / "postmaster.pid"
    while time.monotonic() < deadline and server.poll() is None:
        if ready.exists() and "ready" in ready.read_text():
            return
        time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
