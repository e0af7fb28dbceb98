"""Browsers that are started: what they print, how long they run, and their session.

Chromium says "Opening in existing browser session." on the stdout that it inherits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.native import browser

ROOT = Path(__file__).resolve().parents[2]
CHATTY = """#!/bin/sh
echo "Opening in existing browser session."
echo "[1:1:ERROR] something about a GPU" >&2
"""
FOREGROUND = """#!/bin/sh
echo $$ > {pid}.new && mv {pid}.new {pid}
echo "Opening in existing browser session."
exec sleep 600
"""


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def signs_in(server, home: Path, program: Path) -> tuple[int, str, str]:
    """Sign in on the command line, with a browser that a script stands for."""
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "BROWSER": f"{program} %s",
        "DISPLAY": ":99",
    }
    command = [sys.executable, "-m", "app.native", "login"]
    options = ["--json", "--state-dir", str(home / "s"), "--store", "file"]
    with subprocess.Popen(
        [*command, server.url, "alice.example.com", *options],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            server.wait_for(1)
            server.decide("completed")
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, out, err


@pytest.mark.process
def test_login_with_json_and_chatty_browser_prints_one_object(server, tmp_path):
    program = script(tmp_path / "chatty", CHATTY)

    code, out, err = signs_in(server, tmp_path, program)

    assert code == 0, err
    assert json.loads(out)["username"] == "alice"
    assert "GPU" not in err


@pytest.mark.process
def test_login_with_foreground_browser_goes_on_beside_it(server, tmp_path):
    """The browser has a session of its own, so Ctrl-C and a hang-up miss it."""
    pid = tmp_path / "pid"
    program = script(tmp_path / "foreground", FOREGROUND.format(pid=pid))

    code, out, err = signs_in(server, tmp_path, program)

    running = int(pid.read_text())
    try:
        assert os.getsid(running) == running
    finally:
        os.kill(running, 9)
    assert code == 0, err
    assert json.loads(out)["username"] == "alice"


@pytest.mark.process
@pytest.mark.parametrize(("status", "opened"), [(0, True), (3, False)])
def test_open_returns_whether_the_browser_succeeded(
    monkeypatch, tmp_path, status, opened
):
    program = script(tmp_path / "browser", f"#!/bin/sh\nexit {status}\n")
    generic = browser.webbrowser.GenericBrowser(str(program))
    monkeypatch.setattr(browser.webbrowser, "get", lambda: generic)

    assert browser.open_in_browser("https://auth.example.org/x") is opened


def test_open_with_a_text_browser_returns_false(monkeypatch):
    """It would take the terminal, on which the login is shown."""
    lynx = browser.webbrowser.GenericBrowser("lynx")
    monkeypatch.setattr(browser.webbrowser, "get", lambda: lynx)

    assert not browser.open_in_browser("https://auth.example.org/x")
