"""The table of bounds in docs/security.md, beside the constants of the code.

Each row is a constant with its value and a test. Each constant that by its name bounds
something has a row, or a reason why no stranger meets it.
"""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "app"

BOUND = re.compile(
    r"(?m)^\| (?P<what>[^|]+) \| (?P<number>[0-9.,]+)(?: (?P<unit>\w+))? "
    r"\| `(?P<module>[\w/]+)\.py::(?P<constant>\w+)` "
    r"\| `(?P<file>[\w/]+\.py)::(?P<test>test_\w+)` \|$"
)
SECONDS = {"min": 60, "h": 3_600, "days": 86_400}
BOUNDS_SECTION = (
    (ROOT / "docs/security.md").read_text("utf-8").split("## Every bound\n")[1]
).split("\n## ")[0]
BOUNDS = list(BOUND.finditer(BOUNDS_SECTION))


def test_every_row_of_the_table_is_read() -> None:
    rows = [line for line in BOUNDS_SECTION.splitlines() if line.startswith("| ")]
    heads = BOUNDS_SECTION.count("| what | bound | constant | test |")

    assert len(BOUNDS) == len(rows) - heads > 40


@pytest.mark.parametrize("row", BOUNDS, ids=lambda row: row["what"])
def test_bound_of_the_table_is_the_constant(row: re.Match[str]) -> None:
    module = importlib.import_module("app." + row["module"].replace("/", "."))
    told = float(row["number"].replace(",", "")) * SECONDS.get(row["unit"], 1)

    assert getattr(module, row["constant"]) == told


@pytest.mark.parametrize("row", BOUNDS, ids=lambda row: row["what"])
def test_test_of_a_bound_exists(row: re.Match[str]) -> None:
    code = (ROOT / "tests" / row["file"]).read_text(encoding="utf-8")

    assert re.search(rf"(?m)^def {row['test']}\(", code)


# --- what has no row ------------------------------------------------------------------

OF_A_BOUND = re.compile(
    r"(MOST|MAX|LONGEST|LARGEST)(_[A-Z0-9_]+)?"
    r"|([A-Z0-9_]+_)?(LIMIT|BYTES|ENTRIES|BUDGET|KEPT|AT_ONCE)"
)
"""Names of constants that bound something."""

OF_OPERATORS = ("commands/", "config/", "doctor/", "metrics/")
"""Folders whose bounds no stranger meets."""

PROGRAM = "a person's own program, on its own machine"
HEALED = "how long a host is waited for; the sweep asks it again"
CACHE = "entries of a MemoryCache, whose bytes are bounded"
OURS = "what we wrote or chose"
SWEEP = "what the sweep takes on at once"

WITHOUT_ROW = {
    "atproto/aio/client::UNCLAIMED_BUDGET": HEALED,
    "atproto/cli/call::ANSWER_LIMIT": PROGRAM,
    "atproto/cli/login::MOST_PASTES": PROGRAM,
    "atproto/cli/options::MAX_TIMEOUT": PROGRAM,
    "atproto/crypto/keys::P256_BYTES": OURS,
    "atproto/discovery/servers::MAX_AHEAD": "threads; logins are bounded, and wait",
    "atproto/http/pool::LONGEST_IDLE": OURS,
    "atproto/oauth/server::REVOCATION_BUDGET": HEALED,
    "atproto/session/refresh::LONGEST_PAUSE": OURS,
    "atproto/session/refresh_request::VERIFICATION_BUDGET": "part of a refresh's time",
    "atproto/stores/private_file::MAX_BYTES": PROGRAM,
    "blueprints/provider/quick::LONGEST_FORM": "a longer one takes the slower way",
    "factory/use_cases::QUESTIONS_AT_ONCE": "tested as a ConcurrencyLimit",
    "flows/account/handle::LOOK_UP_BUDGET": "part of the time of a login's hops",
    "flows/account/permissions::MOST_TRIES": OURS,
    "flows/account/permissions::REVOCATION_BUDGET": HEALED,
    "flows/callback/replay::MOST_LOOKS": OURS,
    "flows/keys/life_cycle::LONGEST_LOGIN": OURS,
    "flows/login/typing::CACHE_ENTRIES": CACHE,
    "flows/login/typing::LOOK_UP_BUDGET": "that of a login",
    "flows/native/confirm::REVOCATION_BUDGET": HEALED,
    "flows/people/deletion::REVOCATION_LIMIT": HEALED,
    "flows/people/signup/choose::REVOCATION_BUDGET": HEALED,
    "flows/provider/policy::LOOK_UPS_KEPT": CACHE,
    "flows/provider/scopes::LONGEST_SUB": OURS,
    "flows/provider/tokens/assertions::CACHE_ENTRIES": CACHE,
    "flows/provider/tokens/assertions::KEPT": "of a registered client's keys",
    "flows/sessions/revocations::CACHE_ENTRIES": CACHE,
    "flows/sweep::AT_ONCE": SWEEP,
    "flows/sweep::MAX_STEPS": SWEEP,
    "flows/sweep::REVOCATION_LIMIT": SWEEP,
    "native/stores/private_file::MAX_BYTES": PROGRAM,
    "native/transports/grpc_transport::CALL_LIMIT": PROGRAM,
    "native/transports/http_client::CONNECT_LIMIT": PROGRAM,
    "native/transports/http_transport::LONGEST_WAIT": PROGRAM,
    "stores/cache::MEMORY_ENTRIES": CACHE,
    "stores/encryption::KEY_BYTES": OURS,
    "stores/encryption::KEY_ID_BYTES": OURS,
    "stores/encryption::NONCE_BYTES": OURS,
    "stores/logins/native_login_events::AT_ONCE": "streams woken between two turns",
    "telemetry/context::IDS_AT_ONCE": OURS,
    "stores/logins/native_login_events::LONGEST_PAUSE": OURS,
    "stores/provider/clients::MOST_PARSED": "parsed clients; operators register them",
    "stores/sql/bounded::WAIT_LIMIT": "how long our database is waited for",
    "stores/sql/health::LEAST_BYTES": OURS,
    "web/repeated::LONGEST_BODY": OURS,
}
"""Constants without a row, and why."""


def constants() -> Iterator[str]:
    """Yield `module::NAME` of each number of the code that bounds something."""
    for path in sorted(APP.rglob("*.py")):
        module = path.relative_to(APP).with_suffix("").as_posix()
        if module.startswith(OF_OPERATORS):
            continue
        for name in numbers_of(ast.parse(path.read_text(encoding="utf-8"))):
            if OF_A_BOUND.fullmatch(name):
                yield f"{module}::{name}"


def numbers_of(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module binds to numbers: literals, sums and products."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=some)], value=ast.Tuple(elts=to)):
                pairs = list(zip(some, to, strict=True))
            case ast.Assign(targets=[one], value=value):
                pairs = [(one, value)]
            case ast.AnnAssign(target=one, value=ast.expr() as value):
                pairs = [(one, value)]
            case _:
                pairs = []
        for name, value in pairs:
            if isinstance(name, ast.Name) and is_number(value):
                yield name.id


def is_number(value: ast.expr) -> bool:
    """Tell whether an expression is made of numbers alone."""
    parts = [part for part in ast.walk(value) if not isinstance(part, ast.operator)]
    constants = [part.value for part in parts if isinstance(part, ast.Constant)]
    return all(
        isinstance(part, ast.Constant | ast.BinOp | ast.UnaryOp | ast.unaryop)
        for part in parts
    ) and {type(constant) for constant in constants} <= {int, float}


def test_every_constant_that_bounds_something_has_a_row_or_a_reason() -> None:
    rows = {f"{row['module']}::{row['constant']}" for row in BOUNDS}

    assert set(constants()) - rows - WITHOUT_ROW.keys() == set()
    assert WITHOUT_ROW.keys() - set(constants()) == set()
    assert WITHOUT_ROW.keys() & rows == set()


def test_constants_are_found_in_each_way_of_writing() -> None:
    numbers = "A = 5\nB: Final = 64 * 1024\nC: Final[float] = -2.5\nD, E = 1, 2\n"
    others = "F = 'x'\nG = f(5)\nH = [1]\nI: int\nJ = True\n"

    assert list(numbers_of(ast.parse(numbers + others))) == list("ABCDE")
