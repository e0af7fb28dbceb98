"""The programs of a laboratory: started, waited for, and ended, on failure too.

Each program's output goes to a file of its own. All of them end when the block ends, on
an error and on Ctrl-C too; and should this process be killed outright, the kernel ends
them (`setpriv --pdeathsig`): a crash leaves nothing for the next run to trip on.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

START_WITHIN = 60.0
STOP_WITHIN = 10.0
LOG_EXCERPT = 3000


class NotHealthy(Exception):
    """A program ended, or did not answer in time."""


@dataclass(frozen=True)
class Program:
    """One running program and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    healthy: Callable[[], bool] = field(compare=False, repr=False)

    def stop(self) -> None:
        """Ask it to end, wait, and insist."""
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_WITHIN)

    def wait_until(self, healthy: Callable[[], bool], *, within: float) -> None:
        """Return when `healthy` says so; raise with the end of its log otherwise."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self._not_healthy(f"ended with code {self.process.returncode}")
            if healthy():
                return
            time.sleep(0.05)
        raise self._not_healthy(f"did not answer within {within:.0f} s")

    def _not_healthy(self, what: str) -> NotHealthy:
        output = self.log.read_text(errors="replace")[-LOG_EXCERPT:]
        return NotHealthy(f"{self.name} {what}. The end of {self.log}:\n{output}")


class Processes:
    """Starts programs and ends all of them, newest first, when its block ends."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started = ExitStack()
        self._running: dict[str, tuple[Program, Callable[[], Program]]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._started.close()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        healthy: Callable[[], bool],
        directory: Path | None = None,
    ) -> Program:
        """Start a program with exactly this environment and wait for its health."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            # A session of its own: Ctrl-C in the terminal is for us to handle.
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        program = Program(name, process, log, healthy)
        self._started.callback(program.stop)
        program.wait_until(healthy, within=START_WITHIN)
        again = partial(
            self.start,
            name,
            command,
            environment=environment,
            healthy=healthy,
            directory=directory,
        )
        self._running[name] = program, again
        return program

    def program(self, name: str) -> Program:
        """Return the program of this name that was started last."""
        return self._running[name][0]

    def kill(self, name: str) -> None:
        """End a program and all that it started at once, as a power cut would."""
        program = self.program(name)
        with suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)
        program.process.wait(STOP_WITHIN)

    def start_again(self, name: str) -> Program:
        """Start a program that has ended as it was started before."""
        return self._running[name][1]()

    @contextmanager
    def refusing(self, name: str) -> Iterator[None]:
        """Let a program refuse connections for the time of a block (see plc.mjs).

        Raises NotHealthy when it does not come back.
        """
        program = self.program(name)
        program.process.send_signal(signal.SIGUSR2)
        yield
        program.process.send_signal(signal.SIGUSR2)
        program.wait_until(program.healthy, within=START_WITHIN)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Stop a program without ending it: it accepts connections and is silent."""
        process = self.program(name).process
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Stop a program for the time of a block, and start it again as it was."""
        program, start_again = self._running[name]
        program.stop()
        yield
        start_again()


def listens(port: int) -> Callable[[], bool]:
    """Return a check: does a program listen on this port of 127.0.0.1?"""

    def is_taken() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return is_taken


def answers(url: str, *, ca: Path | None = None) -> Callable[[], bool]:
    """Return a check: does a GET of `url` answer 200?"""

    def check() -> bool:
        try:
            return get(url, ca=ca).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    return check


def get(url: str, *, ca: Path | None = None) -> requests.Response:
    """GET a page of the laboratory, trusting its authority alone."""
    with session(ca) as http:
        return http.get(url, timeout=20)


def session(ca: Path | None) -> requests.Session:
    """Return a client that ignores the machine's proxy and certificate variables."""
    http = requests.Session()
    http.trust_env = False
    http.verify = str(ca) if ca else True
    return http
