"""Rate limits of hosts: how often logins may ask one host (requirement 9.6).

One network has at most a quarter of a host's limit, so that a few networks cannot lock
all others out. A host where people of this platform have sessions, or that SIGNUP_HOSTS
names, has KNOWN_TIMES the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from app.flows.errors import TooManyRequests
from app.flows.ports import RateLimit

from .networks import widest_of

SHARE: Final = 0.25
"""The part of a host's limit that one network may use."""

KNOWN_TIMES: Final = 10
"""The limit of a known host, as a multiple of that of any other."""

DOCUMENTS: Final = "documents of "
"""Begins the name under which a host's documents are counted, apart from its logins."""

_network: ContextVar[str] = ContextVar("the network that a login comes from")


@contextmanager
def login_from(network: str) -> Iterator[None]:
    """Name the network for the hosts that are asked inside this block.

    A context variable, because the client library asks hosts and knows no networks.
    """
    token = _network.set(network)
    try:
        yield
    finally:
        _network.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimit:
    """Called with each host that a login asks (`before_host` of the library)."""

    limits: RateLimit
    is_known: Callable[[str], bool]
    """Tells whether people have sessions at this host, or SIGNUP_HOSTS names it."""

    def __call__(self, host: str) -> None:
        """Count one request to a host.

        Raises:
            TooManyRequests: the limit of the host, or this network's share, is reached.
        """
        try:
            self._hit(host)
        except TooManyRequests:
            if not self.is_known(host.removeprefix(DOCUMENTS)):
                raise
            self._hit(f"known {host}", times=KNOWN_TIMES)

    def _hit(self, host: str, *, times: float = 1) -> None:
        counted = [(host, times)]
        if network := _network.get(""):
            counted.insert(0, (f"{host} from {widest_of(network)}", times * SHARE))
        self.limits.hit_all("host", counted)
