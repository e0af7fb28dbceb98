"""Set-up of all tests. The network is off but for this machine (pyproject.toml)."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.marked import MarkedOnly
from tests.terse import Terse

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Command lines speak the language of the terminal; tests read English.
os.environ["LANGUAGE"] = "en"

# Properties are about truth, not speed: a busy machine fails no test. And a gate says
# the same twice of the same tree: `--hypothesis-profile=exploring` looks elsewhere.
# `make test` is for every few minutes, and draws a quarter of the gate's examples.
settings.register_profile(
    "exploring", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("gate", settings.get_profile("exploring"), derandomize=True)
settings.register_profile("quick", settings.get_profile("gate"), max_examples=25)
settings.load_profile("gate")

GARBAGE = 10_000
"""New objects between two looks for garbage; Python's own 700 finds little of it."""


def pytest_configure(config: pytest.Config) -> None:
    """Refuse processes in tests without the marker `process`; bring the fixtures.

    The process that hands tests out to pytest-xdist's workers runs none, so it does not
    import the application, for which the workers would wait.
    """
    gc.disable()  # until the tests are collected
    # A shell ignores Ctrl-C for what it starts in the background, and programs inherit
    # that. Tests send it to theirs.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(MarkedOnly())
    hands_out = config.getoption("dist", "no") != "no"
    if not hands_out or hasattr(config, "workerinput"):
        config.pluginmanager.import_plugin("tests.shared_fixtures")
    if hasattr(config, "workerinput") and config.getoption("durations") is None:
        config.pluginmanager.register(Terse())


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Have one worker more than cores: a third of its time, a worker waits."""
    return (yield) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector away from the collected tests, some 10^5 objects."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(GARBAGE, 10, 10)
        gc.enable()
