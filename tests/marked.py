"""Refuses to start a process in a test without the marker `process`.

`make test` leaves marked tests out, so an unmarked one would make it slow unnoticed.
multiprocessing's forkserver is not seen, so tests of tests/stores/racers.py carry the
marker by agreement. Tests outside tests/, such as the case of a bug report, are not
held to it.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
T = TypeVar("T")

TESTS = Path(__file__).resolve().parent
# Where Python starts a process. Not an audit hook: before CPython 3.12 it lets two
# threads that start under coverage meet in sys.settrace, and one of them ends there.
STARTS = (
    (subprocess.Popen, "__init__"),
    (os, "fork"),
    (os, "forkpty"),
    (os, "posix_spawn"),
    (os, "system"),
)


class MarkedOnly:
    """A pytest plugin that knows which test is running."""

    def __init__(self) -> None:
        self._refuses_for: str | None = None
        for owner, name in STARTS:
            setattr(owner, name, self._held(getattr(owner, name)))

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

    def _held(self, start: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(start)
        def held(*args: P.args, **options: P.kwargs) -> T:
            if self._refuses_for:
                raise RuntimeError(f"mark {self._refuses_for} with pytest.mark.process")
            return start(*args, **options)

        return held
