"""Alert when authorization servers refuse this client (requirement 10.3).

A refusal may mean that our metadata, keys or clock are wrong, or only that a stranger's
server refuses each client. So an alert needs a host that people signed in at before, or
refusals of many hosts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.atproto.errors import ClientRefused

log = logging.getLogger(__name__)

WINDOW = 600
"""Seconds in which refusals of several hosts count together."""

MANY_HOSTS = 5
"""Hosts that refuse us within the window: then we are at fault, not they."""

MOST_HOSTS = 1000
"""Hosts whose refusals are counted in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRefusals:
    """Counts refusals per host and logs the alerts."""

    is_known: Callable[[str], bool]
    """Tells whether people have sessions at a host, or we offer it for sign-up."""
    clock: Callable[[], float]
    _counts: dict[str, tuple[float, int]] = field(default_factory=dict, init=False)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count a refusal that is raised inside, and raise it again."""
        try:
            yield
        except ClientRefused as error:
            self._note(error)
            raise

    def _note(self, error: ClientRefused) -> None:
        now = self.clock()
        for host, (last, _) in list(self._counts.items()):
            if now - last >= WINDOW:
                del self._counts[host]
        if len(self._counts) >= MOST_HOSTS:
            self._counts.clear()
        count = self._counts.get(error.host, (now, 0))[1] + 1
        self._counts[error.host] = now, count
        is_alert = len(self._counts) >= MANY_HOSTS or self.is_known(error.host)
        level = logging.ERROR if is_alert else logging.INFO
        log.log(level, "%s; %d times in %d s", error, count, WINDOW)
