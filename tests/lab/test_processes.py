"""The programs of the laboratory: started, stopped, and reported when they fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.processes import NotHealthy, Processes

ROOT = Path(__file__).parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
NOTHING: dict[str, str] = {}

pytestmark = pytest.mark.process


def always() -> bool:
    return True


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_program_is_stopped_at_the_end_of_the_block(tmp_path):
    with Processes(tmp_path) as processes:
        program = processes.start("p", SLEEP, environment=NOTHING, healthy=always)
        assert is_running(program.process.pid)

    assert not is_running(program.process.pid)


def test_programs_are_stopped_after_an_exception(tmp_path):
    started = []

    def interrupted() -> None:
        with Processes(tmp_path) as processes:
            program = processes.start("p", SLEEP, environment=NOTHING, healthy=always)
            started.append(program.process.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert not is_running(started[0])


def test_program_is_stopped_during_without_and_started_again(tmp_path):
    with Processes(tmp_path) as processes:
        before = processes.start("p", SLEEP, environment=NOTHING, healthy=always)
        with processes.without("p"):
            assert not is_running(before.process.pid)
        after = processes.program("p")

        assert is_running(after.process.pid)


def test_refusing_program_that_does_not_come_back_raises(tmp_path):
    with Processes(tmp_path) as processes:
        # SLEEP ends at the signal, as any program does that has no handler for it.
        processes.start("p", SLEEP, environment=NOTHING, healthy=always)
        with pytest.raises(NotHealthy), processes.refusing("p"):
            processes.program("p").process.wait(10)


def test_program_that_ends_early_raises_with_its_last_lines(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no such setting')"]

    with (
        pytest.raises(NotHealthy, match="no such setting"),
        Processes(tmp_path) as processes,
    ):
        processes.start("p", command, environment=NOTHING, healthy=lambda: False)


def test_program_gets_only_the_environment_it_is_given(tmp_path):
    command = [sys.executable, "-c", "import os; print(sorted(os.environ))"]

    with Processes(tmp_path) as processes:
        program = processes.start(
            "p", command, environment={"ONLY": "this"}, healthy=always
        )
        program.process.wait(10)

    assert "'ONLY'" in program.log.read_text()
    assert "'PATH'" not in program.log.read_text()


OWNER = """
import os, sys, time
from pathlib import Path
from tests.lab.processes import Processes
with Processes(Path(sys.argv[1])) as processes:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    program = processes.start("p", sleep, environment={}, healthy=lambda: True)
    print(program.process.pid, flush=True)
    time.sleep(60)
"""


def test_programs_of_a_killed_run_are_stopped(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    with owner.stdout:
        pid = int(owner.stdout.readline())

    os.kill(owner.pid, signal.SIGKILL)
    owner.wait(10)

    for _ in range(100):
        if not is_running(pid):
            return
        time.sleep(0.1)
    raise AssertionError("the program is still running")
