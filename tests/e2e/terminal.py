"""`python -m app.native` at a terminal, and secrets that may not be shown there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.command_line import CommandLine, Started
from tests.e2e.laboratory import Laboratory, find

CODE = r"[A-Z0-9]{4}-[A-Z0-9]{4}"
APP = "Sketch"
SECRETS = {"verifier", "token"}
PATHS = {"session_id"}
WAITING = {"login", "resume"}
ASKING = {*WAITING, "logout"}
"""The commands that speak with the service."""


@dataclass(kw_only=True)
class Terminal(CommandLine):
    """One person's machine, with an app that calls itself Sketch."""

    lab: Laboratory
    transport: Sequence[str] = ()
    """How the service is spoken to, in the command line's own words."""

    server_url: str = ""
    secrets: set[str] = field(default_factory=set)
    """Everything that this machine was ever trusted with."""

    def logs_in(self, identifier: str) -> Started:
        """Start to sign in, up to the link that is to be opened."""
        url = self.server_url or self.lab.service.url
        run = self.starts("login", url, identifier, "--app-name", APP)
        run.address()
        self.learn()
        return run

    def is_told(self, run: Started) -> tuple[int, Any]:
        """Wait for the end of a run; return the exit code and the JSON object."""
        ended = run.ends()
        self.learn()
        return ended

    def token(self) -> str:
        """The token that is stored here."""
        token: str = self.stored()["session"]["token"]
        return token

    def stored(self) -> dict[str, Any]:
        """What is stored here, read as anybody would who gets hold of the file."""
        document: dict[str, Any] = json.loads(self.file.read_text())
        return document

    @property
    def file(self) -> Path:
        """Where the session is kept."""
        return self.home / ".local" / "state" / "latchkey" / "session.json"

    def learn(self) -> None:
        """Add what is stored here to the secrets, the laboratory's too."""
        if not self.file.exists():
            return
        for record in self.stored().values():
            if isinstance(record, dict):
                self.lab.paths |= _named(PATHS, record)
                self.lab.secrets |= _named(SECRETS, record)
                self.secrets |= _named(PATHS | SECRETS, record)

    def leaks(self) -> list[str]:
        """Return which secret was shown, in which of all runs."""
        return find(self.secrets, [("the screen", self.printed())])

    def _command(self, words: Sequence[str]) -> list[str]:
        command = ["app.native", *words, "--json", "--store", "file"]
        if words[0] in WAITING:
            command += ["--no-browser", *self.transport]
        if words[0] in ASKING and self.network.ca:
            command += ["--ca-bundle", str(self.network.ca)]
        return command

    def _environment(self) -> dict[str, str]:
        return {"HOME": str(self.home)}


def code_of(run: Started) -> str:
    """Return the code that a run shows."""
    return re.sub(r"\s", "", run.says(rf"(?m)^ +{CODE}$"))


def _named(names: set[str], record: dict[str, Any]) -> set[str]:
    return {record[name] for name in names & set(record)}
