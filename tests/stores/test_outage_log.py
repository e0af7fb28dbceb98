"""One warning for an outage, and not one for each use."""

from __future__ import annotations

import logging

from app.stores.outage_log import OutageLog


def test_only_the_first_failure_after_a_success_is_a_warning(caplog):
    caplog.set_level(logging.DEBUG)
    outage = OutageLog(logging.getLogger("tests"), "cache not read")

    for _ in range(3):
        outage.failed("full")
    outage.worked()
    outage.failed("full")

    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "DEBUG", "DEBUG", "WARNING"]
    assert caplog.messages[0] == "cache not read: full"
