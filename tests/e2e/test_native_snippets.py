"""docs/native-snippets.md, run as it stands, with a person at a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.command_line import Started
from tests.e2e.laboratory import Laboratory, find
from tests.e2e.terminal import CODE
from tests.e2e.visitor import Visitor
from tests.lab.network import NODE, Account

PAGE = Path(__file__).parents[2] / "docs" / "native-snippets.md"
GO = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
COMPILE_WITHIN = 300.0
WITHIN = 60.0


def program(language: str) -> str:
    """Return the page's program in a language."""
    [found] = re.findall(rf"(?ms)^```{language}\n(.*?)^```", PAGE.read_text())
    return str(found)


def compile_go(directory: Path) -> Path:
    """Compile the page's program, once for all tests of a run."""
    if GO is None:
        pytest.skip("there is no Go on this machine")
    (directory / "sign_in.go").write_text(program("go"))
    subprocess.run(
        [GO, "build", "-o", "sign_in", "sign_in.go"],
        cwd=directory,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "GOTOOLCHAIN": "local",
        },
        timeout=COMPILE_WITHIN,
        check=True,
    )
    return directory / "sign_in"


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_go(tmp_path_factory.mktemp("go"))


@pytest.fixture(params=["python", "javascript", "go"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """How a program of the page is run."""
    if request.param == "go":
        return [str(request.getfixturevalue("go"))]
    interpreters = {
        "python": (sys.executable, "sign_in.py"),
        "javascript": (str(NODE), "sign_in.mjs"),
    }
    interpreter, name = interpreters[request.param]
    (tmp_path / name).write_text(program(request.param))
    return [interpreter, name]


@pytest.fixture
def begin(
    lab: Laboratory, tmp_path: Path, command: list[str]
) -> Iterator[Callable[[Account], Started]]:
    """Run the program for a person; it ends with the test."""
    environment = {"HOME": str(tmp_path), "PATH": "/nonexistent"}
    if lab.network.ca:
        ca = str(lab.network.ca)
        environment |= {"SSL_CERT_FILE": ca, "NODE_EXTRA_CA_CERTS": ca}
    runs: list[subprocess.Popen[str]] = []
    screen = tmp_path / "screen"

    def begin(account: Account) -> Started:
        with screen.open("w") as output:
            process = subprocess.Popen(
                [*command, lab.service.url, account.handle],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        runs.append(process)
        return Started(process, screen)

    yield begin
    for process in runs:
        process.kill()
        process.wait(10)


@pytest.fixture
def member(visitor: Visitor, account: Account) -> Account:
    """A person who has a username already."""
    visitor.become(account, account.handle.partition(".")[0])
    return account


def answer(visitor: Visitor, run: Started, account: Account, button: str) -> None:
    """Follow the program's link, compare its code, and press a button."""
    visitor.page.goto(run.address())
    visitor.approve(account)
    expect(visitor.page.locator("h1")).to_have_text("Allow this app to sign in?")
    assert run.says(CODE) in visitor.page.inner_text("main")
    visitor.press(button)
    expect(visitor.page.locator("h1")).not_to_have_text("Allow this app to sign in?")


def test_the_program_signs_in_and_calls_a_service(
    lab: Laboratory,
    begin: Callable[[Account], Started],
    visitor: Visitor,
    member: Account,
    tmp_path: Path,
) -> None:
    run = begin(member)
    answer(visitor, run, member, "Allow")

    assert run.process.wait(WITHIN) == 0, run.progress.read_text()
    username = member.handle.partition(".")[0]
    assert run.progress.read_text().endswith(f"Hello {username}\n")
    file = tmp_path / "session.json"
    kept = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (kept["server"], kept["did"]) == (lab.service.url, member.did)
    lab.secrets.add(kept["token"])
    assert find({kept["token"]}, [("the screen", run.progress.read_text())]) == []
    assert lab.vault.acknowledged(run.says(CODE))


@pytest.mark.parametrize("lab", ["dev"], indirect=True)
def test_the_program_is_told_no(
    begin: Callable[[Account], Started],
    visitor: Visitor,
    member: Account,
    tmp_path: Path,
) -> None:
    run = begin(member)
    answer(visitor, run, member, "Don't allow")

    assert run.process.wait(WITHIN) == 1
    assert run.progress.read_text().endswith("not signed in: denied\n")
    assert not (tmp_path / "session.json").exists()


@pytest.mark.parametrize("lab", ["dev"], indirect=True)
def test_the_program_goes_on_after_a_restart(
    lab: Laboratory,
    begin: Callable[[Account], Started],
    visitor: Visitor,
    member: Account,
) -> None:
    run = begin(member)
    run.address()
    with lab.network.processes.without(lab.service.program.name):
        pass
    answer(visitor, run, member, "Allow")

    assert run.process.wait(WITHIN) == 0, run.progress.read_text()
    assert "Hello " in run.progress.read_text()


@pytest.mark.parametrize("lab", ["dev"], indirect=True)
def test_the_program_says_what_the_service_refuses(
    begin: Callable[[Account], Started],
) -> None:
    run = begin(Account(did="", handle="not a handle", password=""))

    assert run.process.wait(WITHIN) == 1
    assert "Traceback" not in run.progress.read_text()
    assert "handle" in run.progress.read_text()
