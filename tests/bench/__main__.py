"""`make bench`: CPU and time of signing in, storing, awaiting and verifying.

All of it takes some minutes; `python -m tests.bench storing` measures one part.
"""

from __future__ import annotations

import sys

from .asynchronous import measure_asynchronous
from .awaiting import measure_awaiting
from .provider import measure_provider
from .proxied import measure_proxied
from .signing import measure_signing
from .storing import measure_storing
from .verifying import measure_verifying

PARTS = {
    "signing": measure_signing,
    "storing": measure_storing,
    "awaiting": measure_awaiting,
    "asynchronous": measure_asynchronous,
    "verifying": measure_verifying,
    "proxied": measure_proxied,
    "provider": measure_provider,
}


def main() -> None:
    """Measure the parts that were named, or all."""
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - set(PARTS):
        sys.exit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in names:
        PARTS[name]()


if __name__ == "__main__":
    main()
