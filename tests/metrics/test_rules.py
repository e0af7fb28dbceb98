"""Alert rules, dashboard and pages: they name metrics that exist, and fire."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.metrics.instruments import COUNTED, READ, Instrument

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "ansible/files"
RULES = FILES / "latchkey.rules.yml"
ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))
PROMTOOL = shutil.which("promtool")
PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")


def known_series() -> set[str]:
    """Return the names under which Prometheus stores our metrics."""
    names = set()
    for one in (*COUNTED, *READ):
        names.add(one.name)
        if one.kind == "histogram":
            names |= {f"{one.name}{end}" for end in ("_bucket", "_count", "_sum")}
    return names


def row_of(one: Instrument) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels) or "none"
    return f"| `{one.name}` | {one.kind} | {labels} | {one.meaning} |"


def test_page_about_metrics_has_a_row_for_each_and_no_other():
    rows = re.findall(r"(?m)^\| `latchkey_.*$", PAGE)

    assert rows == [row_of(one) for one in (*COUNTED, *READ)]


@pytest.mark.parametrize("name", ["latchkey.rules.yml", "latchkey.dashboard.json"])
def test_rules_and_dashboard_name_metrics_that_exist(name):
    text = (FILES / name).read_text(encoding="utf-8")
    named = set(re.findall(r"\blatchkey_\w+", text))

    assert len(named) > 10
    assert named <= known_series()


def test_dashboard_shows_every_metric():
    board = json.loads((FILES / "latchkey.dashboard.json").read_text(encoding="utf-8"))
    text = json.dumps(board["panels"])
    ids = [panel["id"] for panel in board["panels"]]

    assert [one.name for one in (*COUNTED, *READ) if one.name not in text] == []
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_a_page_that_says_what_to_do(alert):
    page = (ROOT / f"docs/alerts/{alert}.md").read_text(encoding="utf-8")

    assert f"runbook: docs/alerts/{alert}.md" in RULES.read_text(encoding="utf-8")
    assert f"(alerts/{alert}.md)" in PAGE
    headings = re.findall(r"(?m)^#+ (.*)$", page)
    assert headings == [
        alert,
        "What it means",
        "What to look at",
        "What to do",
    ]
    for target in re.findall(r"\]\(([^)#\s]+)\)", page):
        assert (ROOT / "docs/alerts" / target).exists(), target
    assert set(re.findall(r"\blatchkey_\w+", page)) <= known_series()


def test_no_page_is_of_an_alert_that_is_gone():
    assert {path.stem for path in (ROOT / "docs/alerts").iterdir()} == set(ALERTS)


def test_each_alert_is_fired_once_and_silent_once():
    cases = (FILES / "latchkey.rules.test.yml").read_text(encoding="utf-8")

    assert [alert for alert in ALERTS if f"name: {alert} fires" not in cases] == []
    quiet = cases.partition("no alert fires while all is well")[2]
    assert sorted(re.findall(r"alertname: (\w+)", quiet)) == sorted(ALERTS)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command: list[Any] = [PROMTOOL, *arguments]
    return subprocess.run(
        command, cwd=FILES, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.process
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "latchkey.rules.yml"),
        ("test", "rules", "latchkey.rules.test.yml"),
    ],
)
def test_promtool_accepts_the_rules_and_fires_each(arguments):
    result = promtool(*arguments)

    assert result.returncode == 0, result.stdout + result.stderr


def queries() -> list[str]:
    """Return every query of the dashboard, with a number for Grafana's variable."""
    text = (FILES / "latchkey.dashboard.json").read_text(encoding="utf-8")
    board = json.loads(text.replace("$__rate_interval", "5m"))
    return [one["expr"] for panel in board["panels"] for one in panel["targets"]]


@pytest.mark.process
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_accepts_every_query_of_the_dashboard(tmp_path: Path):
    rules = [
        {"record": f"query:{number}", "expr": query}
        for number, query in enumerate(queries())
    ]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    result = promtool("check", "rules", str(path))

    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules)} rules found" in result.stdout
