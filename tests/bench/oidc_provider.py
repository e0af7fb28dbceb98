"""npm `oidc-provider` as a process of its own, for one client and one account."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.serving.server import cpu_seconds_of

from .peer import HERE, NODE

ISSUER = "http://latchkey"
ENDPOINTS = {
    "authorization": "/auth",
    "token": "/token",
    "userinfo": "/me",
    "introspection": "/token/introspection",
    "jwks": "/jwks",
}
"""Its default routes."""


@dataclass(frozen=True)
class OidcProvider:
    """The running provider."""

    path: Path
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that it has taken so far."""
        return cpu_seconds_of(self.pid)


def is_installed() -> bool:
    """Tell whether `npm ci` was run in this folder."""
    return NODE.exists() and (HERE / "node_modules" / "oidc-provider").is_dir()


@contextmanager
def oidc_provider(folder: Path, client: Mapping[str, str]) -> Iterator[OidcProvider]:
    """Serve until the block ends; `client` are variables of the program."""
    path = folder / "oidc-provider.sock"
    with (folder / "oidc-provider.log").open("w") as log:
        process = subprocess.Popen(
            [NODE, HERE / "oidc_provider.mjs"],
            env={"SOCKET": str(path), "ISSUER": ISSUER, **client},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "is ready\n":
                raise RuntimeError(Path(log.name).read_text())
            yield OidcProvider(path, process.pid)
        finally:
            process.terminate()
