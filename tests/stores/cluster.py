"""A PostgreSQL server of our own, for as long as the tests run.

It listens on a socket in its own folder and nowhere else. PostgreSQL refuses to run as
root, so as root it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 60.0
# A crash of the machine may lose this cluster: nothing waits for the disk.
SPEED = ["-c", "fsync=off", "-c", "full_page_writes=off"]


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a cluster and yield its URL; skip where there is no server to run."""
    binaries = _binaries()
    user = _unprivileged_user()
    # Not pytest's folder: the path of a socket may be a hundred characters at most.
    folder = Path(tempfile.mkdtemp(prefix="latchkey-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        _run(binaries / "initdb", "-D", folder / "data", *INITDB, user=user)
        with _server(binaries / "postgres", folder, user):
            yield f"postgresql://latchkey@/postgres?host={folder}"
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


@contextmanager
def _server(program: Path, folder: Path, user: str | None) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [program, "-D", folder / "data", "-k", folder, "-h", "", *SPEED],
            user=user,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=output,
            stderr=output,
        )
    try:
        _await(server, folder, log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)


def _await(server: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    ready = folder / "data" / "postmaster.pid"
    while time.monotonic() < deadline and server.poll() is None:
        if ready.exists() and "ready" in ready.read_text():
            return
        time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
