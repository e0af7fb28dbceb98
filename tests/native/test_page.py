"""docs/native-client.md, run as it stands against a service on this machine."""

from __future__ import annotations

import builtins
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import app.native
from app.native import errors
from app.native.cli.arguments import program
from app.native.cli.exit_codes import Exit

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "native-client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
(SHOWN,) = re.findall(r"^```\n(\$ python.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SERVICE = "https://auth.example.org"


class Reader:
    """Runs the page's code against the fake service."""

    def __init__(self, server, home: Path) -> None:
        self.server = server
        self.home = home
        self.printed: list[str] = []
        self.opened: list[str] = []
        overrides = {
            "__import__": self._imports,
            "print": lambda *words: self.printed.append(" ".join(map(str, words))),
        }
        self.names = {
            "__name__": "page",
            "__builtins__": {**vars(builtins), **overrides},
        }

    def runs(self, code: str) -> None:
        exec(code.replace(SERVICE, self.server.url), self.names)

    def _imports(self, name, *rest):
        if name == "app.native":
            names = {name: getattr(app.native, name) for name in app.native.__all__}
            return SimpleNamespace(
                **{
                    **names,
                    "default_directory": lambda app: self.home / app,
                    "AuthManager": self._manager,
                }
            )
        if name == "requests":
            return SimpleNamespace(get=self._asks)
        return __import__(name, *rest)

    def _manager(self, store):
        return app.native.AuthManager(store, open_browser=self._opens)

    def _opens(self, url: str) -> bool:
        self.opened.append(url)
        self.server.decide("completed")
        return True

    def _asks(self, url, *, headers, timeout):
        (token,) = self.server.only().delivered
        assert url == f"{self.server.url}/auth/session"
        assert headers == {"Authorization": f"Bearer {token}"}
        assert timeout
        return SimpleNamespace(status_code=200, json=lambda: {"did": "did:plc:alice"})


@pytest.fixture
def reader(server, tmp_path):
    return Reader(server, tmp_path)


@pytest.mark.process
def test_page_code_signs_in_and_out(reader, server):
    for code in BLOCKS[:2]:
        reader.runs(code)

    assert reader.printed == [
        "Your browser must show BCDF-GHJK",
        "Hello alice",
        "did:plc:alice",
    ]
    assert reader.opened == [f"{server.url}/auth/native/open?login=x"]
    assert server.only().app_name == "Relay"
    assert server.only().acknowledged
    assert reader.names["auth"].get_session() is None
    assert server.ended == server.only().delivered


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ("denied", "The sign-in was refused in the browser."),
        ("expired", "The sign-in was not finished in time: start again."),
    ],
)
@pytest.mark.process
def test_page_code_prints_why_a_login_failed(reader, server, decision, said):
    reader._opens = lambda _url: server.decide(decision) or True

    reader.runs(BLOCKS[0])

    assert reader.printed[-1] == said


@pytest.mark.process
def test_page_code_resumes_after_a_crash(reader, server):
    reader._opens = lambda _url: exec("raise SystemExit")
    with pytest.raises(SystemExit):
        reader.runs(BLOCKS[0])
    server.decide("completed")

    reader.runs(BLOCKS[2])

    assert reader.names["session"].username == "alice"


def test_page_lists_every_exception():
    table = PAGE.split("## What to do on each error")[1].split("\n## ")[0]
    listed = set(re.findall(r"(?m)^\| `(\w+)`", table))

    known = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.NativeError)
    }
    assert listed == known - {"NativeError", "LoginEnded"}


def test_page_lists_every_option_and_exit_code():
    options = {
        name
        for command in program.commands.values()
        for option in command.params
        if not getattr(option, "hidden", False)
        for name in option.opts
        if name.startswith("--")
    }
    section = PAGE.split("## The command line")[1]

    assert set(re.findall(r"--[a-z][a-z-]+", section)) == options | {"--help"}
    listed = re.findall(r"(?m)^\| (\d+) \|", section)
    assert [int(code) for code in listed] == [int(code) for code in Exit]


@pytest.mark.process
def test_page_commands_print_what_it_shows(server, tmp_path):
    """Except the time at which the token expires, and the call of another service."""
    for part in SHOWN.split("$ ")[1:]:
        command, _, output = part.partition("\n")
        program, *words = command.replace(SERVICE, server.url).split()
        if program == "python":
            printed = run(server, tmp_path, words).replace(server.url, SERVICE)
            assert timeless(printed) == timeless(output), command


def run(server, home: Path, words: list[str]) -> str:
    """Run a command of the page; the person lets the app in once it waits."""
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={"HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Waiting"):
                server.decide("completed")
    return printed


def timeless(text: str) -> str:
    return re.sub(r'"expires_at": \d+', "", text).strip()


@pytest.mark.process
def test_package_works_when_copied_under_another_name(tmp_path):
    """Imports within it are relative; only gRPC's messages come from elsewhere."""
    copy = tmp_path / "relay" / "signing_in"
    shutil.copytree(ROOT / "app" / "native", copy)
    (copy.parent / "__init__.py").write_text("")
    code = "from relay.signing_in import AuthManager, __main__; print(AuthManager)"

    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.stdout == "<class 'relay.signing_in.manager.AuthManager'>\n", (
        result.stderr
    )
