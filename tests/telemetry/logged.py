"""Log lines as a collector reads them: formatted when they are written."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.logs import JsonFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator


class Collector(logging.Handler):
    """Keeps each line with the context in which it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Format at once: the context is gone later."""
        self.texts.append(self.format(record))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines so far, parsed."""
        return [json.loads(text) for text in self.texts]

    def requests(self) -> list[dict[str, Any]]:
        """The line of each request."""
        return [line for line in self.lines if line["logger"] == "app.access"]


@contextmanager
def collected(level: int = logging.INFO) -> Iterator[Collector]:
    """Collect what is logged inside this block."""
    root, collector = logging.getLogger(), Collector()
    before = root.level
    root.addHandler(collector)
    root.setLevel(level)
    try:
        yield collector
    finally:
        root.removeHandler(collector)
        root.setLevel(before)
