"""gunicorn's work that is the same for every request, done once instead.

For each request gunicorn looks some thirty settings up by two calls each, formats the
date, and looks the handlers of its log up for a stream that is hardly ever written to.
That is an eighth of what /auth/verify takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

_date_of: Callable[[int], str] = lru_cache(maxsize=1)(util.http_date)
_stream_of: Any = wsgi.WSGIErrorsWrapper


def settle(cfg: Any, clock: Callable[[], float]) -> None:
    """Make gunicorn's part of each request cheaper, in a worker that is about to serve.

    The settings of a worker never change: a reload starts other workers.
    """
    named = {name: one.get() for name, one in cfg.settings.items()}
    vars(cfg).update((n, v) for n, v in named.items() if not hasattr(type(cfg), n))
    util.http_date = dated_by(clock)
    wsgi.WSGIErrorsWrapper = Errors


def dated_by(clock: Callable[[], float]) -> Callable[..., str]:
    """Return gunicorn's `http_date`, which formats each second once."""

    def http_date(timestamp: float | None = None) -> str:
        return _date_of(int(clock() if timestamp is None else timestamp))

    return http_date


class Errors:
    """`wsgi.errors` (PEP 3333): gunicorn's own stream, made when it is written to."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def write(self, text: str) -> None:
        """Write to the error log, as it is now."""
        _stream_of(self._cfg).write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: each write is flushed."""
