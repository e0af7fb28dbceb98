"""Runs the checks of `doctor` side by side, each within a time limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final

from app.flows.errors import StorageFailed

from . import documents, network, proxy, services, storage
from .deployment import Deployment
from .findings import Checked, Finding, Skipped

Check = Callable[[Deployment], Iterator[Finding]]

INSIDE: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "settings": services.settings,
        "service": proxy.service,
        "database": storage.database,
        "durability": storage.durability,
        "schema": storage.schema,
        "keys": storage.keys,
        "secrets": storage.secrets,
        "disk": storage.disk,
        "permissions": storage.permissions,
        "rate limits": services.rate_limits,
        "grpc": services.grpc,
        "database clock": network.database_clock,
        "sweep": storage.sweep,
        "backup": storage.backup,
    }
)
"""Checks of this machine and its database."""

OUTSIDE: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "metadata": documents.metadata,
        "jwks": documents.jwks,
        "certificate": network.certificate,
        "proxy": proxy.proxy,
        "cookie": proxy.cookie,
        "dns": network.dns,
        "plc": network.plc,
        "clock": network.clock,
        "siblings": network.siblings,
    }
)
"""Checks that use the network; `--offline` leaves them out."""

DATABASE_FAILS: Final = "the database does not answer, as other checks say"

PATIENCE: Final = 60.0
"""Seconds for all checks; those that have not ended are reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Looks at a deployment."""

    deployment: Callable[[], Deployment]
    patience: float = PATIENCE
    checks: Mapping[str, Check] = field(default_factory=lambda: {**OUTSIDE, **INSIDE})

    def names(self, *, offline: bool) -> Sequence[str]:
        """Return the checks that will run, in the order of their results."""
        return [name for name in self.checks if not (offline and name in OUTSIDE)]

    def examine(
        self, *, offline: bool, report: Callable[[str], object] = lambda _name: None
    ) -> Sequence[Checked]:
        """Run the checks; `report` hears the name of each when it has ended.

        The threads of checks that do not end are left behind, and end with the process.
        """
        names = self.names(offline=offline)
        deployment = self.deployment()
        results: queue.Queue[Checked] = queue.Queue()
        for name in names:
            check = partial(self.checks[name], deployment)
            arguments = (name, check, results)
            threading.Thread(target=_run, args=arguments, daemon=True).start()
        done: dict[str, Checked] = {}
        ends = time.monotonic() + self.patience
        while len(done) < len(names):
            try:
                checked = results.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                break
            done[checked.check] = checked
            report(checked.check)
        return [done.get(name) or self._unfinished(name) for name in names]

    def _unfinished(self, name: str) -> Checked:
        finding = Finding(
            f"the check did not end in {self.patience:.0f} s",
            "What it looks at hangs, or is very slow.",
            "Look at that part by hand; then run doctor again.",
        )
        return Checked(name, (finding,))


def _run(
    name: str, check: Callable[[], Iterator[Finding]], results: queue.Queue[Checked]
) -> None:
    try:
        results.put(Checked(name, tuple(check())))
    except Skipped as skipped:
        results.put(Checked(name, skipped=str(skipped)))
    except StorageFailed:
        results.put(Checked(name, skipped=DATABASE_FAILS))
    except Exception as error:  # noqa: BLE001 - what a check raises is its finding
        finding = Finding(
            f"the check failed: {type(error).__name__}: {error}",
            "What it looks at cannot be judged.",
            "Correct what the line says; then run doctor again.",
        )
        results.put(Checked(name, (finding,)))
