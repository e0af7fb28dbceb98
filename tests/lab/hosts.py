"""Names for /etc/hosts, which knows no wildcards: added with a tag, and taken out.

The file is locked while the names stand, so that two laboratories never mix. Lines that
a killed run left behind carry the tag too, and go when the next one starts. The file is
written in place: in a container it is a mount and cannot be replaced.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

HOSTS = Path("/etc/hosts")
TAG = "# latchkey-lab"


class HostsInUse(Exception):
    """Another laboratory of this machine holds the names."""


@contextmanager
def named(names: Iterable[str], *, path: Path = HOSTS) -> Iterator[None]:
    """Let `names` mean 127.0.0.1 while the block runs. Needs the right to write."""
    with path.open() as locked:
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostsInUse(
                f"another laboratory holds {path}; stop it first"
            ) from None
        before = _without_ours(path.read_text())
        path.write_text(before + "".join(f"127.0.0.1 {name} {TAG}\n" for name in names))
        try:
            yield
        finally:
            path.write_text(_without_ours(path.read_text()))


def _without_ours(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.endswith(TAG)]
    return "".join(f"{line}\n" for line in lines)
