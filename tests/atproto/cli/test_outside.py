"""The command line and the machine it runs on: browser, terminal, network."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.atproto.cli.outside import SCREENS, NetworkOptions, open_browser, open_network
from app.atproto.errors import UnsafeURL
from app.atproto.http.types import Deadline

ROOT = Path(__file__).resolve().parents[3]
URL = "https://as.skyhost.social/oauth/authorize?client_id=c&request_uri=r"
ASK = "from app.atproto.cli.outside import ask; print(len(ask('Paste: ')))"
SOON = 20.0


def test_without_a_screen_no_browser_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)

    assert not open_browser(URL)


@pytest.mark.process
def test_the_browser_is_opened_and_does_not_write_on_our_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(
        f'#!/bin/sh\necho noise; echo noise >&2\nprintf %s "$1" > {opened}\n'
    )
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")

    assert open_browser(URL)

    ends = time.monotonic() + SOON
    while not (opened.exists() and opened.read_text()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert opened.read_text() == URL
    assert "noise" not in "".join(capfd.readouterr())


@pytest.mark.process
def test_what_is_pasted_is_not_shown() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        screen = os.read(ours, 100)
        os.write(ours, b"a secret\n")
        output, _ = process.communicate(timeout=SOON)
        while select.select([ours], [], [], 0)[0]:
            screen += os.read(ours, 100)
    finally:
        process.kill()
        os.close(theirs)
        os.close(ours)

    assert output == b"8\n"
    assert screen.startswith(b"Paste: ")
    assert b"secret" not in screen


@pytest.mark.process
def test_what_is_piped_is_read_to_the_end_of_its_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        input=b"12345\nmore\n",
        capture_output=True,
        timeout=SOON,
        check=True,
    )

    assert ended.stdout == b"6\n"


def test_the_real_network_is_the_hardened_one() -> None:
    options = NetworkOptions(
        lab_network=False,
        plc_url="https://plc.directory",
        ca_bundle=None,
        nameservers=(("127.0.0.1", 1),),
        handle_suffix="",
    )

    http = open_network(options).http

    for url in ("http://pds.skyhost.social/", "https://127.0.0.1/", "https://x.test/"):
        with pytest.raises(UnsafeURL):
            http.request("GET", url, deadline=Deadline.after(1), limit=1)
