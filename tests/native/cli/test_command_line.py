"""`python -m app.native`, as a process, and what it looks like on a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.native import FileStore, LoginExpired, ServerUnreachable, Waiting, __version__
from app.native.cli.arguments import EXITS
from app.native.cli.exit_codes import Exit
from app.native.cli.terminal import Screen
from tests.native.fake_server import DID
from tests.native.grpc_server import FakeAuthService, serving

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
LONGEST = 60.0


class CommandLine:
    """The command line with a home directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = home / "state"

    def begin(self, *words: str, **options) -> subprocess.Popen:
        """Begin a command that stores its session in a file."""
        return self.begin_alone(
            *words, "--state-dir", str(self.state), "--store", "file", **options
        )

    def begin_alone(self, *words: str, **options) -> subprocess.Popen:
        """Begin a command with these words only."""
        return subprocess.Popen(
            [sys.executable, "-m", "app.native", *words],
            cwd=ROOT,
            env={"HOME": str(self.home), "PATH": "/nonexistent"},
            stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.begin(*words)
        out, err = process.communicate(timeout=LONGEST)
        return process.returncode, out, err

    def run_alone(self, *words: str) -> tuple[int, str, str]:
        process = self.begin_alone(*words)
        out, err = process.communicate(timeout=LONGEST)
        return process.returncode, out, err

    @contextmanager
    def running(self, *words: str, **options):
        process = self.begin(*words, **options)
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=LONGEST)

    def signs_in(self, server, *words: str) -> tuple[int, str, str]:
        """Sign in, and be let in by the service."""
        with self.running(
            "login", server.url, "alice.example.com", "--no-browser", *words
        ) as process:
            server.wait_for(1)
            server.decide("completed")
            out, err = process.communicate(timeout=LONGEST)
            return process.returncode, out, err


@pytest.fixture
def person(tmp_path) -> CommandLine:
    return CommandLine(tmp_path)


def test_login_prints_the_code_and_the_person_but_no_token(person, server):
    code, out, err = person.signs_in(server)

    assert code == Exit.DONE
    assert out == f"Signed in as alice (alice.example.com) at {server.url}.\n"
    assert "    BCDF-GHJK\n" in err
    assert f"    {server.url}/auth/native/open?login=x\n" in err
    assert "\x1b" not in err
    (token,) = server.only().delivered
    assert token not in out + err
    assert server.only().app_name.startswith("Command line")


def test_login_with_json_prints_one_object_without_the_token(person, server):
    code, out, err = person.signs_in(server, "--json", "--app-name", "Relay")

    assert code == Exit.DONE
    document = json.loads(out)
    assert set(document) == {"server_url", "did", "handle", "username", "expires_at"}
    assert (document["did"], document["username"]) == (DID, "alice")
    assert "BCDF-GHJK" in err
    assert server.only().app_name == "Relay"


def test_session_with_closed_stdout_exits_1_without_a_traceback(person):
    """As in `session --json | head -c 0`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with person.running("session", "--json", stdout=writing) as process:
            _, err = process.communicate(timeout=LONGEST)
    finally:
        os.close(writing)

    assert (process.returncode, err) == (Exit.FAILED, "")


def test_session_prints_the_token_with_its_option_only(person, server):
    person.signs_in(server)
    (token,) = server.only().delivered

    code, out, _ = person.run("session")
    assert code == Exit.DONE
    assert out.startswith("Signed in as alice (alice.example.com)")
    assert token not in out
    assert token not in person.run("session", "--json")[1]
    assert person.run("session", "--token")[1] == f"{token}\n"
    assert json.loads(person.run("session", "--token", "--json")[1])["token"] == token


def test_logout_removes_the_session_here_and_at_the_service(person, server):
    person.signs_in(server)

    code, out, _ = person.run("logout")

    assert (code, out) == (Exit.DONE, f"Signed out at {server.url}.\n")
    assert server.ended == server.only().delivered
    assert person.run("session") == (7, "", "Nobody is signed in here.\n")
    assert person.run("logout", "--json")[1] == '{"was_signed_in": false}\n'
    assert [one.name for one in person.state.iterdir()] == ["session.json.lock"]


def test_logout_with_unreachable_service_prints_the_account_page(person, server):
    person.signs_in(server)
    server.stop()

    code, out, err = person.run("logout")

    assert (code, err) == (Exit.DONE, "")
    assert out.startswith("Forgotten on this machine.")
    assert "Connection refused" in out
    assert out.endswith(f"end it at {server.url}/auth/account\n")
    assert person.run("session")[0] == Exit.NOT_SIGNED_IN


@pytest.mark.parametrize("is_up", [True, False])
def test_logout_with_json_says_whether_the_session_ended(person, server, is_up):
    person.signs_in(server)
    if not is_up:
        server.stop()

    code, out, _ = person.run("logout", "--json")

    document = json.loads(out)
    trouble = document.pop("trouble", "")
    assert code == Exit.DONE
    assert document == {
        "was_signed_in": True,
        "server_url": server.url,
        "account_page": f"{server.url}/auth/account",
        "session_ended": is_up,
    }
    assert ("Connection refused" in trouble) is not is_up


def test_logout_with_readable_file_removes_it(person, server):
    person.signs_in(server)
    (person.state / "session.json").chmod(0o644)

    code, _, err = person.run("session")
    assert (code, "not yours alone" in err) == (Exit.FAILED, True)

    code, out, _ = person.run("logout")
    assert (code, "no service was told" in out) == (Exit.DONE, True)
    assert person.run("session")[0] == Exit.NOT_SIGNED_IN


@pytest.mark.parametrize(
    ("decision", "code", "name"),
    [("denied", 3, "login_denied"), ("expired", 4, "login_expired")],
)
def test_login_that_is_denied_or_expired_exits_3_or_4(
    person, server, decision, code, name
):
    login = ["login", server.url, "alice.example.com", "--no-browser", "--json"]
    with person.running(*login) as process:
        server.wait_for(1)
        server.decide(decision)
        out, _ = process.communicate(timeout=LONGEST)

    assert process.returncode == code
    assert json.loads(out)["error"] == name


def test_login_with_timeout_exits_4_and_cancels(person, server):
    login = ["login", server.url, "alice.example.com", "--no-browser", "--json"]

    code, out, _ = person.run(*login, "--timeout", "0.2")

    assert code == Exit.EXPIRED
    assert json.loads(out)["error"] == "await_timed_out"
    assert person.run("resume")[0] == Exit.NOT_SIGNED_IN


def test_login_with_refused_handle_prints_the_reference(person, server):
    server.initiation = lambda wire: wire.refuses(400, "handle_not_found")
    login = ["login", server.url, "unknown.example.com"]

    assert person.run(*login) == (
        6,
        "",
        "Because of handle_not_found. (reference ABC123)\n",
    )
    assert json.loads(person.run(*login, "--json")[1]) == {
        "error": "handle_not_found",
        "error_description": "Because of handle_not_found.",
        "reference": "ABC123",
    }


def test_login_with_closed_port_exits_5(person, server):
    server.stop()

    code, _, err = person.run("login", server.url, "alice.example.com")

    assert code == Exit.UNREACHABLE
    assert "Connection refused" in err


@pytest.mark.parametrize(
    "words",
    [
        ["login", "http://auth.example.org", "alice.example.com"],
        ["login", "https://auth.example.org"],
        ["login", "https://auth.example.org", "a", "--timeout", "-1"],
        ["login", "https://auth.example.org", "a", "--timeout", "soon"],
        ["login", "https://auth.example.org", "a", "--ca-bundle", "missing.pem"],
        ["dance"],
        [],
    ],
)
def test_wrong_usage_exits_2(person, words):
    code, out, err = person.run(*words)

    assert (code, out) == (Exit.USAGE, "")
    assert err
    assert "Traceback" not in err


def test_second_login_ends_the_first_with_exit_8(person, server):
    login = ["login", server.url, "alice.example.com", "--no-browser"]
    with person.running(*login) as first:
        server.wait_for(1)
        with person.running(*login) as second:
            first.communicate(timeout=LONGEST)
            server.decide("completed")
            second.communicate(timeout=LONGEST)

    assert (first.returncode, second.returncode) == (Exit.REPLACED, Exit.DONE)


def test_logout_ends_a_waiting_login_with_exit_8(person, server):
    login = ["login", server.url, "alice.example.com", "--no-browser"]
    with person.running(*login) as process:
        server.wait_for(1)
        assert person.run("logout")[0] == Exit.DONE
        process.communicate(timeout=LONGEST)

    assert process.returncode == Exit.REPLACED
    assert FileStore(person.state / "session.json").read() is None


def test_login_with_sigint_cancels_and_exits_130(person, server):
    login = ["login", server.url, "alice.example.com", "--no-browser", "--json"]
    with person.running(*login) as process:
        server.wait_for(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONGEST)

    assert process.returncode == Exit.INTERRUPTED
    assert json.loads(out)["error"] == "interrupted"
    assert "Traceback" not in err
    assert FileStore(person.state / "session.json").read() is None


def test_resume_after_sigkill_signs_in(person, server):
    login = ["login", server.url, "alice.example.com", "--no-browser"]
    with person.running(*login) as process:
        server.wait_for(1)
        process.kill()
        process.communicate(timeout=LONGEST)
    assert person.run("session")[0] == Exit.NOT_SIGNED_IN
    server.decide("completed")

    code, out, err = person.run("resume", "--no-browser")

    assert code == Exit.DONE
    assert out.startswith("Signed in as alice")
    assert "BCDF-GHJK" in err


def test_login_without_a_browser_says_so_and_waits(person, server):
    with person.running("login", server.url, "alice.example.com") as process:
        server.wait_for(1)
        server.decide("completed")
        _, err = process.communicate(timeout=LONGEST)

    assert process.returncode == Exit.DONE
    assert "No browser could be opened here." in err


def test_login_prints_once_that_the_service_is_gone(person, server):
    """A line is printed when something has changed, not twice a second."""
    with person.running(
        "login", server.url, "alice.example.com", "--no-browser"
    ) as process:
        server.wait_for(1)
        server.stop()
        seen = ""
        while "Trying again" not in seen:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        server.start()
        server.decide("completed")
        out, _ = process.communicate(timeout=LONGEST)

    assert out.startswith("Signed in as alice")
    assert seen.count("Waiting for you to finish") <= 1


def test_login_with_grpc_signs_in(person, server):
    service = FakeAuthService(server)
    with serving(service) as port:
        login = ["login", "https://auth.example.org", "alice.example.com"]
        more = ["--no-browser", "--grpc", f"127.0.0.1:{port}"]
        with person.running(*login, *more) as process:
            with server.changed:
                assert server.changed.wait_for(lambda: service.asked, LONGEST)
            server.decide("completed")
            out, _ = process.communicate(timeout=LONGEST)

    assert process.returncode == Exit.DONE
    assert "at https://auth.example.org." in out
    assert server.only().acknowledged


# --- on a terminal --------------------------------------------------------------------


def read_until(terminal: int, wanted: str) -> str:
    """Read what a terminal shows until it shows this."""
    seen = ""
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], LONGEST)
        assert ready, seen
        seen += os.read(terminal, 4096).decode()
    return seen


def test_login_on_a_terminal_shows_a_frame_and_a_countdown(person, server):
    ours, theirs = pty.openpty()
    try:
        login = ["login", server.url, "alice.example.com", "--no-browser"]
        with person.running(*login, stderr=theirs) as process:
            seen = read_until(ours, "  29:")
            server.decide("completed")
            process.communicate(timeout=LONGEST)
    finally:
        os.close(ours)
        os.close(theirs)

    frame = re.search(
        r"\+(-+)\+\r\n    \|   \x1b\[1m(.*?)\x1b\[0m   \|\r\n    \+\1\+", seen
    )
    assert frame
    assert frame[2].replace(" ", "") == "BCDF-GHJK"
    assert "\r\x1b[KWaiting for you to finish in the browser  29:" in seen
    assert process.returncode == Exit.DONE


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_settle_erases_the_line_of_the_wait():
    err = Terminal()
    screen = Screen(out=io.StringIO(), err=err)

    screen.waiting(Waiting(seconds_left=61.9, trouble="the service is away"))
    screen.settle()

    assert err.getvalue() == "\r\x1b[KTrying again: the service is away  1:01\r\x1b[K"


def test_error_line_of_an_expired_login_names_its_cause():
    err = io.StringIO()
    error = LoginExpired()
    error.__cause__ = ServerUnreachable("the service was away")

    Screen(out=io.StringIO(), err=err).error(error)

    assert err.getvalue().endswith("start again. (the service was away)\n")


def test_help_lists_every_exit_code(person):
    assert {int(code) for code in re.findall(r"(?<![\w.])(\d+)  ", EXITS)} >= {
        0, 1, 2, 3, 5, 6, 7, 8,
    }  # fmt: skip
    listed = {int(code) for code in re.findall(r"\b\d+\b", EXITS)}
    assert listed == {int(code) for code in Exit}
    code, out, err = person.run_alone("--help")
    assert (code, err) == (Exit.DONE, "")
    assert [line.strip() for line in EXITS.splitlines()] == [
        line.strip() for line in out.splitlines()[-6:]
    ]


@pytest.mark.parametrize("command", ["", "login", "resume", "session", "logout"])
def test_help_and_version_print_and_do_nothing_else(person, command):
    code, out, err = person.run_alone(*command.split(), "--help")
    assert (code, out.split()[0], err) == (Exit.DONE, "Usage:", "")

    assert person.run_alone(*command.split(), "--version") == (
        0,
        f"{__version__}\n",
        "",
    )
    assert list(person.home.iterdir()) == []


def test_transport_option_of_former_releases_is_accepted(person, server):
    code, _, _ = person.signs_in(server, "--transport", "stream")

    assert code == Exit.DONE
