"""What the pages say is so: links, names, numbers, and the code that they show."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.failures.table import TABLE
from app.flows.xrpc.allow_list import XrpcAllowList
from app.web.errors import HTTP_CODES, OWN
from tests.printed import ISSUER, listening, shown
from tests.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
AUDITS = [ROOT / "docs/profile.md", ROOT / "docs/security.md"]
SECTIONS = {1: 30, 2: 14, 3: 31, 4: 20, 5: 13, 6: 20, 7: 23, 8: 11, 9: 25, 10: 3}
"""How many requirements each section of the profile has."""

NUMBERS = r"\d{1,2}\.\d{1,2}"
LINKED = r"(?:,\s+|\s+and\s+|\s+to\s+)?"
CITED = re.compile(rf"(?i:requirements?)\s+((?:{NUMBERS}{LINKED})+)")
FILE = re.compile(
    r"`([\w./-]+\.(?:conf|css|html|j2|js|md|py|sql|toml|txt|yml))(?:::(test_\w+))?`"
)


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- links and names ------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def found(name: str) -> Path | None:
    """Return the file that a page means: of the root, the application, the tests."""
    places = (ROOT / name, ROOT / "app" / name, ROOT / "tests" / name)
    return next((place for place in places if place.exists()), None)


@pytest.mark.parametrize("page", AUDITS, ids=names)
def test_every_file_and_test_that_an_audit_names_is_there(page: Path) -> None:
    named = FILE.findall(page.read_text(encoding="utf-8"))

    assert len(named) > 100
    for name, test in named:
        path = found(name)
        assert path is not None, name
        if test:
            assert f"\ndef {test}(" in path.read_text(encoding="utf-8"), (name, test)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_target_that_a_page_names_can_be_made(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?m)(?:^|`)make ([a-z0-9-]+)", (ROOT / page).read_text()))

    assert named >= {"run", "test", "check"}
    assert named <= set(re.findall(r"(?m)^([a-z0-9-]+):", makefile))


# --- the profile ----------------------------------------------------------------------


def rows() -> list[str]:
    """Return the numbers of the audit's rows, in order."""
    audit = (ROOT / "docs/profile.md").read_text(encoding="utf-8").split("\n## 1 ")[1]
    return re.findall(rf"(?m)^\| ({NUMBERS}) \|", audit)


def test_every_requirement_has_its_row() -> None:
    wanted = [
        f"{section}.{number}"
        for section, count in SECTIONS.items()
        for number in range(1, count + 1)
    ]

    assert rows() == wanted


def test_every_requirement_that_is_cited_is_a_row() -> None:
    """Comments are read across their line breaks."""
    known = set(rows())
    sources = [*ROOT.glob("app/**/*.py"), *ROOT.glob("tests/**/*.py")]
    cited = {
        number
        for path in [*sources, *PAGES, ROOT / "schema.sql", ROOT / "gunicorn.conf.py"]
        if "node_modules" not in path.parts
        for many in CITED.findall(re.sub(r"\n[ #-]*", " ", path.read_text()))
        for number in re.findall(NUMBERS, many)
    }

    assert len(cited) > 100
    assert cited <= known


# --- the code that is shown -----------------------------------------------------------


def test_the_example_of_a_call_writes_a_record(
    open_service: Callable[..., Service], world: World
) -> None:
    world.clock.advance(time.time() - world.clock())
    example: dict[str, Any] = {}
    settings = {
        "scope": "atproto repo:app.relay.track",
        "xrpc_allow": XrpcAllowList.parse("repo:app.relay.track"),
    }
    with listening(open_service, **settings) as service:
        browser = service.browser()
        browser.signs_in("alice.skyhost.social", username="alice")
        cookie = browser.jar.get("platform_token")
        assert cookie is not None

        exec(shown("python", "docs/xrpc.md").replace(ISSUER, service.home), example)  # noqa: S102
        uri = example["publish"](cookie.value, "Blue")
        with pytest.raises(OSError, match="401"):
            example["publish"]("nonsense", "Blue")

    assert world.skyhost.pds.records[uri]["title"] == "Blue"


def test_the_page_about_calls_knows_every_error_of_a_call() -> None:
    """Codes of the page are codes of the contract, with their statuses."""
    page = (ROOT / "docs/xrpc.md").read_text(encoding="utf-8")
    told = set(re.findall(r"(?m)^\| (\d{3}) \| `(\w+)` \|", page))
    rows = [*TABLE.values(), *OWN.values(), *HTTP_CODES.values()]

    assert told <= {(str(row.status), row.code) for row in rows}
    assert {code for _, code in told} >= {
        *("reconnect", "permission_missing", "account_unavailable", "call_not_allowed")
    }


def test_page_about_people_names_every_audit_event() -> None:
    """`audit --event NAME` finds nothing by a name that the operator has to guess."""
    sources = (path.read_text() for path in (ROOT / "app/flows").rglob("*.py"))
    calls = [re.findall(r'record\(\s*"([a-z_]+)"', text) for text in sources]
    recorded = {name for names in calls for name in names}
    page = (ROOT / "docs/people.md").read_text().partition("## The audit")[2]

    assert len(recorded) > 20
    assert sorted(name for name in recorded if f"`{name}`" not in page) == []


@pytest.mark.parametrize("proxy", ["nginx", "Caddy", "HAProxy", "Traefik", "Envoy"])
def test_section_of_each_proxy_removes_headers_with_underscores(proxy: str) -> None:
    """Frameworks read `X_Auth_Request_User` as the header that names the person."""
    page = (ROOT / "docs/forward-auth.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {proxy}")[1].split("\n## ")[0]
    removes = {
        "nginx": "`underscores_in_headers on` is set: leave",
        "Caddy": "request_header -X_Auth_Request_*",
        "HAProxy": "del-header X_Auth_Request_ -m beg",
        "Traefik": 'X_Auth_Request_User: ""',
        "Envoy": "REJECT_REQUEST",
    }

    assert removes[proxy] in section


# --- the walks ------------------------------------------------------------------------

ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
WALKS = {
    "A login: from the form to the stored row": 14,
    "The callback: from the answer to the session": 12,
    "A call through /auth/xrpc": 10,
    "A native login": 14,
}
"""The walks, and how many files each may name at most."""


@pytest.mark.parametrize(("walk", "most"), WALKS.items())
def test_walk_names_files_that_exist_in_few_steps(walk: str, most: int) -> None:
    text = ARCHITECTURE.split(f"\n### {walk}\n")[1].split("\n##")[0]
    steps = re.findall(r"(?m)^\d+\. `([\w/]+\.py)`: ", text)

    assert len(steps) == len(re.findall(r"(?m)^\d+\. ", text))
    assert 8 <= len(steps) <= most
    assert [name for name in steps if not (ROOT / "app" / name).is_file()] == []


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = re.findall(r"`([\w/]+/[\w/]+\.py)`", ARCHITECTURE)
    places = ("", "app", "app/atproto")

    assert len(named) > 100
    for name in named:
        assert any((ROOT / place / name).is_file() for place in places), name


def test_every_name_of_the_architecture_is_in_the_code() -> None:
    """Classes and functions of the walks and of the table of new names."""
    walks = ARCHITECTURE.split("## Four reading walks")[1].split("\n## ")[0]
    table = ARCHITECTURE.split("## Old names and new ones")[1]
    right = [row.split(" | ")[1] for row in table.splitlines() if row.startswith("| `")]
    names = set(re.findall(r"`([A-Z]\w+)(?:\.\w+)?`", walks + "\n".join(right)))
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "app").rglob("*.py"))

    missing = {name for name in names if not re.search(rf"class {name}\b", code)}
    assert missing - {"XRPC_ALLOW"} == set()
