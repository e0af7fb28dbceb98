"""pytest-xdist's workers report each test once.

For each test a worker tells the process that hands tests out when it began, and what
became of its set-up, call and teardown. Pickling, sending and reading these messages is
a tenth of a run of ten thousand quick tests.
"""

from __future__ import annotations

import pytest
from _pytest.runner import runtestprotocol


class Terse:
    """A pytest plugin of the workers: what passes is reported in one message.

    `-rP` shows what passing tests wrote in runs without workers (`-n 0`).
    """

    @pytest.hookimpl
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool:
        """Run a test as pytest does; report its call and what did not pass."""
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.passed:
                report.sections.clear()  # what it wrote and logged
                report.keywords = {}
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True
