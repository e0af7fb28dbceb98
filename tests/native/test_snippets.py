"""docs/native-snippets.md: the programs take every step that the client takes.

tests/e2e runs all of them with a real browser; here the page is held to its steps, and
its Python to a service that cuts streams where it hurts.
"""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "native-snippets.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"(?ms)^```(python|javascript|go)\n(.*?)^```", PAGE))
STEPS = {
    "code_challenge": r"code_challenge.{1,20}challenge|code_challenge\W+base64",
    "the code and the link": r"(?s)user_?code.{1,40}page",
    "the checked link": r"checked\(\W*login\W*\[?\W*oauth_?url",
    "the system's browser": r"webbrowser\.open|xdg-open",
    "a stream": r"text/event-stream",
    "the verifier in a header": r"Code.Verifier",
    "the file is private": r"0o600",
    "the acknowledgement": r"(?s)keep\(.{1,160}Last.Event.ID.{1,6}completed",
    "the renewal, kept before it is used": r"(?s)auth/native/refresh.{1,500}keep\(",
    "the Bearer token": r"Authorization.{1,40}(B|b)earer",
}


def dropped_within_the_answer(wire):
    """The token is on its way, and its id with it; the blank line is not."""
    wire.begins_stream()
    wire.event("pending", {"status": "pending"})
    wire.writes(b'id: completed\nevent: completed\ndata: {"status": "completed"')
    wire.drops()


@contextmanager
def running(server, home: Path):
    """Run the page's Python from a file."""
    server.refreshes = True
    (home / "sign_in.py").write_text(PROGRAMS["python"])
    with subprocess.Popen(
        [sys.executable, "-W", "error", "sign_in.py", server.url, "alice.example.com"],
        cwd=home,
        env={"HOME": str(home), "PATH": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("language", ["python", "javascript", "go"])
def test_each_program_contains_each_step(language, step):
    assert re.search(STEPS[step], PROGRAMS[language], re.IGNORECASE), step


@pytest.mark.process
def test_python_program_stores_acknowledges_and_uses_the_token(server, tmp_path):
    with running(server, tmp_path) as process:
        server.wait_for(1)
        server.decide("completed")
        printed, _ = process.communicate(timeout=60)

    assert process.returncode == 0, printed
    assert "BCDF-GHJK" in printed
    assert printed.endswith("Hello alice\n")
    login = server.only()
    file = tmp_path / "session.json"
    assert login.acknowledged
    assert [json.loads(file.read_text())["token"]] == login.delivered
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert login.delivered[0] not in printed
    assert not any(asked.query for asked in server.asked)


@pytest.mark.process
def test_python_program_renews_a_token_that_is_refused(server, tmp_path):
    server.refused = 1
    with running(server, tmp_path) as process:
        server.wait_for(1)
        server.decide("completed")
        printed, _ = process.communicate(timeout=60)

    assert printed.endswith("Hello alice\n")
    kept = json.loads((tmp_path / "session.json").read_text())
    assert kept["token"] == server.only().delivered[1]
    assert kept["refresh_token"] == "refresh-1"
    assert not (tmp_path / "session.new").exists()


@pytest.mark.parametrize("answer", ["denied", "expired"])
@pytest.mark.process
def test_python_program_with_denied_or_expired_login_says_so(server, tmp_path, answer):
    with running(server, tmp_path) as process:
        server.wait_for(1)
        server.decide(answer)
        printed, _ = process.communicate(timeout=60)

    assert (process.returncode, printed.splitlines()[-1]) == (
        1,
        f"not signed in: {answer}",
    )
    assert not (tmp_path / "session.json").exists()


@pytest.mark.process
@pytest.mark.parametrize("page", ["file:///etc/passwd", "http://auth.example.org/x"])
def test_python_program_with_another_page_url_opens_nothing(server, tmp_path, page):
    server.oauth_url = page
    with running(server, tmp_path) as process:
        printed, _ = process.communicate(timeout=60)

    assert (process.returncode, printed) == (1, "not an https address\n")
    assert server.awaits() == []


@pytest.mark.process
def test_python_program_with_truncated_event_asks_again(server, tmp_path):
    """An event without its blank line does not count."""
    server.faults.append(dropped_within_the_answer)
    with running(server, tmp_path) as process:
        server.wait_for(2)
        server.decide("completed")
        printed, _ = process.communicate(timeout=60)

    assert printed.endswith("Hello alice\n")
