"""Where an app of these tests runs, and what every app of them can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from playwright.sync_api import Page

from tests.lab.processes import Processes, listens

HERE = Path(__file__).parent
INSTALLED = HERE.parents[2] / "var" / "apps"
BINARIES = INSTALLED / "bin"
"""What Go compiled."""

PYTHON = INSTALLED / "python" / "bin" / "python"
"""An environment of JupyterHub and Authlib, apart from the service's."""

TRUSTED_BY = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Go and Python, requests, Node: each trusts the laboratory's authority by one."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The address, the folder and the processes of one app."""

    name: str
    url: str
    """Where people open it."""
    port: int
    """Of 127.0.0.1, where it listens; the front door adds TLS."""
    folder: Path
    ca: Path
    processes: Processes

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the app with this environment and no other, and wait for its port."""
        self.processes.start(
            self.name,
            command,
            environment={
                "PATH": f"{PYTHON.parent}:/usr/sbin:/usr/bin:/bin",
                "HOME": str(self.folder),
                **dict.fromkeys(TRUSTED_BY, str(self.ca)),
                **(environment or {}),
            },
            healthy=listens(self.port),
            directory=self.folder,
        )

    def write(self, name: str, text: str) -> Path:
        """Write a file of the app's configuration."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


class App(Protocol):
    """One app: how it is configured, and what it shows."""

    name: ClassVar[str]
    preset: ClassVar[str]
    entrance: ClassVar[str]
    """The path that sends people to sign in."""
    again: ClassVar[str | None]
    """The path at which the app refreshes; None if it keeps no refresh token."""

    def start(self, place: Place, configuration: str) -> None:
        """Start with the text that `clients add` printed."""

    def who(self, page: Page) -> str:
        """Return the username that the app shows, waiting for its page."""
