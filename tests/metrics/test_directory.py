"""Counts of ended processes are kept, and their files do not pile up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings, SettingsInvalid
from app.factory.metrics import open_observer
from app.metrics.directory import clean, count_in, directory_of, merge, registry_of
from tests.metrics.scraped import Scrape

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
COUNT = """
import sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from app.atproto.events import RequestEnded
from app.metrics.directory import count_in
from app.metrics.recorder import Recorder
from app.telemetry.events import PlaceTaken, SweepEnded, TokenVerified

count_in(Path(sys.argv[1]))
observe = Recorder(CollectorRegistry(), plc="plc.directory").observe
observe(TokenVerified("hit"))
observe(RequestEnded("did", "plc.directory", 200, None, 0.2))
observe(PlaceTaken("streams", 1))
observe(SweepEnded({"sessions": 2}))
"""


def counts_once(directory: Path) -> None:
    """Let a process count, and end."""
    command = [sys.executable, "-c", COUNT, str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)


def scrape(directory: Path) -> Scrape:
    return Scrape.of(registry_of(directory))


def test_counts_of_ended_processes_are_merged_into_one_file_a_kind(tmp_path: Path):
    for _ in range(3):
        counts_once(tmp_path)
        merge(tmp_path)

    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"counter_ended.db", "histogram_ended.db"}
    seen = scrape(tmp_path)
    assert seen.value("latchkey_verifications_total", result="hit") == 3
    assert seen.value("latchkey_outgoing_request_seconds_count", kind="did") == 3
    buckets = {"kind": "did", "le": "0.25"}
    assert seen.value("latchkey_outgoing_request_seconds_bucket", **buckets) == 3
    assert seen.value("latchkey_swept_rows_total", kind="sessions") == 6


def test_merging_again_changes_nothing(tmp_path: Path):
    counts_once(tmp_path)
    merge(tmp_path)
    before = scrape(tmp_path).text
    merge(tmp_path)

    assert scrape(tmp_path).text == before


def test_places_of_ended_processes_are_free(tmp_path: Path):
    counts_once(tmp_path)
    held = scrape(tmp_path).value("latchkey_places_in_use")
    merge(tmp_path)

    assert held == 1
    assert scrape(tmp_path).value("latchkey_places_in_use") == 0


def test_clean_forgets_ended_processes_and_no_living_one(tmp_path: Path):
    counts_once(tmp_path)
    merge(tmp_path)
    counts_once(tmp_path)
    mine = tmp_path / f"counter_{os.getpid()}.db"
    mine.touch()

    clean(tmp_path)

    assert list(tmp_path.iterdir()) == [mine]


def test_directory_of_another_user_is_refused(tmp_path: Path):
    tmp_path.chmod(0o777)

    with pytest.raises(PermissionError):
        count_in(tmp_path)


def test_start_with_a_directory_of_another_user_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tmp_path.chmod(0o777)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings = Settings(metrics_bind="127.0.0.1:9464")

    with pytest.raises(SettingsInvalid, match=r"^LATCHKEY_METRICS_BIND: .* not ours"):
        open_observer(settings)


def test_directory_is_one_for_each_database(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    one, other = directory_of("sqlite:///a.db"), directory_of("sqlite:///b.db")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/run/latchkey")

    assert one != other
    assert directory_of("sqlite:///a.db") == Path("/run/latchkey")
