"""The marker `process`: tests without it cannot start a process."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest


def test_process_in_a_test_without_the_marker_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"mark .* with pytest\.mark\.process"):
        subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.parametrize(
    "start",
    [os.fork, os.forkpty, lambda: os.posix_spawn("/", [], {}), partial(os.system, "")],
)
def test_fork_in_a_test_without_the_marker_is_refused(
    start: Callable[[], object],
) -> None:
    with pytest.raises(RuntimeError, match=r"mark .* with pytest\.mark\.process"):
        start()


@pytest.mark.process
def test_process_in_a_test_with_the_marker_is_started() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
