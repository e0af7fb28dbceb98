"""The marker `process`: tests without it cannot start a process."""

import subprocess
import sys

import pytest


def test_process_in_a_test_without_the_marker_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"mark .* with pytest\.mark\.process"):
        subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.process
def test_process_in_a_test_with_the_marker_is_started() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
