#!/usr/bin/env python3
"""`make app`: the sample app of docs/apps.md, registered with what `make run` serves.

It listens on http://127.0.0.1:5000, or at the port APP_PORT, until Ctrl-C.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.printed import ROOT, shown

CLIENT = "hello"
PORT = 5000
FOLDER = ROOT / "var" / "hello"
VARIABLES = {
    "issuer": "ISSUER",
    "client_id": "CLIENT_ID",
    "client_secret": "CLIENT_SECRET",
    "redirect URI": "REDIRECT_URI",
    "scope": "SCOPE",
}
"""A line that the preset `generic` prints, and the variable that programs read."""


def registration(port: int) -> list[str]:
    """Return the command that registers the app."""
    callback = f"http://127.0.0.1:{port}/callback"
    return ["clients", "add", CLIENT, "--url", callback, "--allow", "everyone"]


def variables(configuration: str) -> dict[str, str]:
    """Return the lines of the preset `generic` as environment variables."""
    lines = (line.partition(":") for line in configuration.splitlines())
    return {VARIABLES[name]: value.strip() for name, _, value in lines}


def written(folder: Path) -> Path:
    """Write the program of the page into a folder, which is returned."""
    (folder / "hello.py").write_text(shown("python", "docs/apps.md"))
    return folder


def serve(port: int) -> list[str]:
    """Return the arguments of Python that serve the program."""
    return ["-m", "flask", "--app", "hello", "run", "--port", str(port)]


def main() -> None:
    """Register the app anew and become it."""
    port = int(os.environ.get("APP_PORT", PORT))
    if any(row["client_id"] == CLIENT for row in _command("clients", "list")):
        _command("clients", "remove", CLIENT, "--yes")
    [added] = _command(*registration(port))
    settings = variables(added["configuration"])
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.chdir(written(FOLDER))
    print(f"Open http://127.0.0.1:{port}/ and press Ctrl-C here to stop.", flush=True)
    command = [sys.executable, *serve(port)]
    os.execve(command[0], command, {**os.environ, **settings})  # noqa: S606


def _command(*arguments: str) -> list[dict[str, Any]]:
    """Run an operator's command on the database of `make run`; return its records."""
    ran = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
    )
    if ran.returncode != 0:
        sys.exit(ran.returncode)
    return [json.loads(line) for line in ran.stdout.splitlines()]


if __name__ == "__main__":
    main()
