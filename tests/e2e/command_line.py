"""The command line of the library, run as a process of its own beside a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.atproto.records import OAuthSession
from app.atproto.stores.files import FileSessionStore
from tests.lab.network import Network

ROOT = Path(__file__).parents[2]
WITHIN = 60.0

HEARS_CTRL_C = ("/usr/bin/env", "--default-signal=INT")
"""A shell that runs the tests in the background may ignore it for all children."""


@dataclass
class Started:
    """A run that goes on; its progress is in a file."""

    process: subprocess.Popen[str]
    progress: Path

    def address(self) -> str:
        """Wait for the address that the person is to open."""
        return self.says(r"http\S+(?:request_uri|/auth/native/open\?login)=\S+")

    def says(self, pattern: str) -> str:
        """Wait until its progress has this in it, and return that."""
        ends = time.monotonic() + WITHIN
        is_over = False
        while not is_over:
            # Asked first: what was said last is read all the same.
            is_over = time.monotonic() > ends or self.process.poll() is not None
            if found := re.search(pattern, self.progress.read_text()):
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no {pattern} in: {self.progress.read_text()}")

    def ends(self, pasted: str | None = None) -> tuple[int, Any]:
        """Wait for the end; return the exit code and the one JSON object."""
        with self.process:
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
                [*HEARS_CTRL_C, sys.executable, "-m", *self._command(words)],
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

    def _command(self, words: Sequence[str]) -> list[str]:
        return ["app.atproto", "--json", "--verbose", *words]

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
