"""Refuses to start a process in a test without the marker `process`.

`make test` leaves marked tests out, so an unmarked one would make it slow unnoticed.
`sys.audit` reports `subprocess` and `os.fork`; multiprocessing's forkserver is not
reported, so tests of tests/stores/racers.py carry the marker by agreement. Tests
outside tests/, such as the case of a bug report, are not held to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}


class MarkedOnly:
    """A pytest plugin that knows which test is running."""

    def __init__(self) -> None:
        self._refuses_for: str | None = None
        sys.addaudithook(self._audit)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note the test while it and its fixtures run."""
        is_marked = item.get_closest_marker("process") is not None
        is_ours = TESTS in item.path.parents
        self._refuses_for = item.nodeid if is_ours and not is_marked else None
        try:
            return (yield)
        finally:
            self._refuses_for = None

    def _audit(self, event: str, _arguments: tuple[object, ...]) -> None:
        if event in STARTS and self._refuses_for:
            raise RuntimeError(f"mark {self._refuses_for} with pytest.mark.process")
