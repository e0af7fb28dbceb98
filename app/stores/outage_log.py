"""One warning for an outage of the storage, and not one for each use of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field


@dataclass(slots=True)
class OutageLog:
    """Warns at the first failure after a success; later ones are at debug."""

    logger: logging.Logger
    what: str
    _is_failing: bool = field(default=False, init=False)

    def failed(self, reason: object) -> None:
        """Log a failure: `what`, then the reason."""
        level = logging.DEBUG if self._is_failing else logging.WARNING
        self._is_failing = True
        self.logger.log(level, "%s: %s", self.what, reason)

    def worked(self) -> None:
        """Note a success, so that the next failure is a warning again."""
        self._is_failing = False
