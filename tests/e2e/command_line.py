"""The command line of the library, run as a process of its own beside a browser."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.atproto.files import FileSessionStore
from app.atproto.session import OAuthSession
from tests.lab.network import Network

ROOT = Path(__file__).parents[2]
WITHIN = 30.0


@dataclass
class Started:
    """A run that goes on; its progress is in a file."""

    process: subprocess.Popen[str]
    progress: Path

    def address(self) -> str:
        """Wait for the address that the person is to open."""
        ends = time.monotonic() + WITHIN
        while time.monotonic() < ends and self.process.poll() is None:
            for word in self.progress.read_text().split():
                if "request_uri=" in word:
                    return word
            time.sleep(0.05)
        raise AssertionError(self.progress.read_text() or "no address")

    def ends(self, pasted: str | None = None) -> tuple[int, Any]:
        """Wait for the end; return the exit code and the one JSON object."""
        try:
            output, _ = self.process.communicate(pasted, timeout=WITHIN)
        finally:
            self.process.kill()
        self.progress.with_suffix(".out").write_text(output)
        return self.process.returncode, json.loads(output)


@dataclass
class CommandLine:
    """One person's machine: a home, and everything that was ever printed in it."""

    network: Network
    home: Path
    runs: list[Started] = field(default_factory=list)

    def starts(self, *words: str) -> Started:
        """Start one command, for a script."""
        progress = self.home / f"{len(self.runs)}.err"
        with progress.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.atproto", "--json", "--verbose", *words],
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.runs.append(Started(process, progress))
        return self.runs[-1]

    def runs_to_its_end(self, *words: str) -> tuple[int, Any]:
        """Run one command."""
        return self.starts(*words).ends()

    def printed(self) -> str:
        """Everything that was printed."""
        files = [*self.home.glob("*.err"), *self.home.glob("*.out")]
        return "".join(path.read_text() for path in files)

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "latchkey-atproto"

    def sessions(self) -> tuple[OAuthSession, ...]:
        """The sessions as they are stored."""
        return FileSessionStore(self.state).all()

    def _environment(self) -> dict[str, str]:
        network = self.network
        environment = {
            "HOME": str(self.home),
            "LATCHKEY_LAB_NETWORK": "on",
            "LATCHKEY_PLC_URL": network.plc_url,
            "LATCHKEY_DNS_NAMESERVERS": f"127.0.0.1:{network.dns.port}",
        }
        if network.ca:
            environment["LATCHKEY_CA_BUNDLE"] = str(network.ca)
        return environment
