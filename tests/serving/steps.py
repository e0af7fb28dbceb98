"""A WSGI application that logs its steps, with waits in between that others use."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from app import logs
from app.telemetry.context import bind
from app.web.request_log import RequestLog

log = logging.getLogger("steps")
PAUSE = 0.05


def steps(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """Log the query in four steps; the last two are of the streamed body."""
    query = environ["QUERY_STRING"]
    for step in ("begun", "bound"):
        time.sleep(PAUSE)
        bind(login_id=query)
        log.warning("%s %s", query, step)
    start_response("200 OK", [("Content-Type", "text/plain")])
    for step in ("first", "second"):
        time.sleep(PAUSE)
        log.warning("%s %s", query, step)
        yield step.encode()


logs.configure(level="info", style="json", access=False)
app = RequestLog(steps)
