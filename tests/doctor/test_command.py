"""`flask --app wsgi doctor`: what it prints, and its exit code."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from app.commands import doctor
from app.config import Settings
from app.doctor.examination import INSIDE, Doctor
from app.doctor.findings import Finding, Skipped
from app.factory.web import create_app
from tests.service import close, development, outside_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.world import World


@pytest.fixture
def run(tmp_path: Path, world: World) -> Iterator[Callable[..., Any]]:
    """Run a command of a new platform in loopback development."""
    settings = Settings(**development(tmp_path / "latchkey.db"))
    app = create_app(settings, outside=outside_of(world, settings))
    yield lambda *args: app.test_cli_runner().invoke(args=[*args])
    close(app)


def run_with(checks: dict[str, Any], *args: str, patience: float = 20) -> Any:
    """Run the command with checks of the test's own."""
    examination = Doctor(deployment=lambda: None, checks=checks, patience=patience)
    administration = SimpleNamespace(doctor=examination)
    return CliRunner().invoke(doctor.command(administration), args)


def fine(_deployment: object) -> Iterator[Finding]:
    yield from ()


def found(_deployment: object) -> Iterator[Finding]:
    yield Finding("a fault\x1b[2J", "a reason", "a remedy")


def skipped(_deployment: object) -> Iterator[Finding]:
    raise Skipped("no such part")


def test_doctor_without_findings_exits_with_0():
    result = run_with({"a": fine, "b": skipped})

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "fine: a",
        "skipped: b (no such part)",
        "2 checks, 0 findings",
    ]


def test_doctor_with_a_finding_exits_with_1_and_says_what_why_and_what_to_do():
    result = run_with({"a": fine, "b": found})

    assert result.exit_code == 1
    assert result.stdout.splitlines()[:3] == [
        "FOUND by b: a fault\N{REPLACEMENT CHARACTER}[2J",
        "  why: a reason",
        "  do:  a remedy",
    ]
    assert result.stdout.splitlines()[-1] == "2 checks, 1 finding"


def test_doctor_json_has_one_object_for_each_finding_and_other_check():
    result = run_with({"a": fine, "b": found, "c": skipped}, "--json")

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["check"], line["state"]) for line in lines] == [
        ("a", "ok"),
        ("b", "found"),
        ("c", "skipped"),
    ]


def test_doctor_reports_a_check_that_does_not_end():
    go_on = threading.Event()

    def hangs(_deployment: object) -> Iterator[Finding]:
        go_on.wait(20)
        yield from ()

    result = run_with({"a": hangs, "b": fine}, patience=0.2)
    go_on.set()

    assert result.exit_code == 1
    assert "FOUND by a: the check did not end in" in result.stdout
    assert "fine: b" in result.stdout


def test_doctor_reports_a_check_that_fails():
    def fails(_deployment: object) -> Iterator[Finding]:
        raise ZeroDivisionError("a bug")

    result = run_with({"a": fails})

    assert result.exit_code == 1
    assert "the check failed: ZeroDivisionError: a bug" in result.stdout


def test_doctor_before_init_names_the_parts_and_what_to_run(run):
    result = run("doctor", "--offline", "--json")

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert {line["check"] for line in lines} == set(INSIDE)
    found = {line["check"]: line["what"] for line in lines if line["state"] == "found"}
    assert set(found) == {"database", "schema", "service"}
    assert "`flask --app wsgi init`" in found["schema"]
