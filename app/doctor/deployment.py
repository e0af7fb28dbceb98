"""What the checks of `doctor` look at: plain values, and callables that reach outside.

The factory fills it. What a callable raises is a finding of its check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.atproto.crypto.keys import Algorithm
from app.atproto.http.types import HTTP
from app.atproto.identity.dns import TxtLookup
from app.flows.ports import Ring, Runs, SigningKeys

from .probe import ProbeKey


class DatabaseHealth(Protocol):
    """The checks of the database; each raises `StorageFailed` when it fails."""

    def check_write(self) -> None:
        """Write a row and commit it."""

    def quick_check(self) -> str | None:
        """Return what is damaged, or None."""

    def durability(self) -> Sequence[str]:
        """Return the settings with which a power cut loses what was committed."""

    def clock_difference(self) -> float:
        """Return by how many seconds our clock is ahead of the database's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where this deployment keeps things."""

    database: Path | None
    """None when the database is on a server."""
    private: Sequence[Path]
    """Files with secrets, and the database."""
    directories: Sequence[Path]
    """Directories that need space."""
    kind_of: Callable[[Path], str]
    """The kind of file system that a path is on, as /proc/mounts names it."""
    require_space: Callable[[Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc:
    """The gRPC listener."""

    bind: str
    is_expected: bool
    """Whether a setting says that it is used."""
    answer: Callable[[], None]
    certificate_end: Callable[[], float] | None
    """When its certificate ends, in epoch seconds; None in clear text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Facts about a deployment, and how to look at its parts."""

    version: str
    public_url: str
    host: str
    is_loopback: bool
    is_lab: bool
    client_id: str
    client_document: Callable[[], Mapping[str, Any]]
    cookie_domain: str | None
    trusted_proxies: int
    return_hosts: Sequence[str]
    plc_url: str
    signup_hosts: Sequence[str]
    warnings: Sequence[str]

    http: HTTP
    """The outgoing door, for hosts that are not the operator's."""
    own_http: HTTP
    """A door to the operator's own hosts, which may have private addresses."""
    txt: TxtLookup
    addresses: Callable[[str], Sequence[str]]
    certificate_end: Callable[[str], float]
    """From a host of ours to the end of its certificate, in epoch seconds."""
    local_url: str | None
    """Where the web process listens on this machine; None for a unix socket."""
    probe: ProbeKey
    clock: Callable[[], float]
    monotonic: Callable[[], float]

    database: DatabaseHealth
    require_schema: Callable[[], None]
    keys: SigningKeys
    rings: Mapping[Ring, Sequence[Algorithm]]
    """The rings in use, and the algorithms of which each needs an active key."""
    sealed_under_lost_keys: Callable[[], int]
    """Counts the rows that are encrypted under a key that no setting holds."""
    files: Files
    rate_limits: Callable[[], None] | None
    """Asks the server of RATE_LIMIT_STORAGE; None when this host counts alone."""
    grpc: Grpc
    runs: Runs
