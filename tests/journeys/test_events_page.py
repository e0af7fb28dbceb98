"""docs/events.md: its programs, run as they are printed."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.journeys.people.commands import prints
from tests.printed import ISSUER, listening, shown
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.service import Service

PAGE = "docs/events.md"


class Enough(Exception):
    """Ends the endless loop of the page's program."""


@pytest.fixture
def served(open_service: Callable[..., Service]) -> Iterator[Service]:
    with listening(open_service) as service:
        signs_in(service, service.browser(), "alice.skyhost.social", username="alice")
        prints(service, "users", "disable", "alice", "--yes")
        yield service


@pytest.fixture
def key(served: Service) -> str:
    [made] = prints(served, "service-keys", "create", "wiki", "--may", "users,events")
    key: str = made["key"]
    return key


def test_printed_consumer_handles_each_event_and_goes_on_where_it_stopped(
    served: Service,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERVICE_KEY", key)
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {}
    printed = shown("python", PAGE).replace(ISSUER, served.settings.public_url)
    exec(printed, program)  # noqa: S102 -- the page's own text
    handled: list[str] = []

    def handle(event: dict[str, str]) -> None:
        handled.append(event["event"])
        if event["event"] in {"session_ended", "enabled"}:
            raise Enough

    with pytest.raises(Enough):
        program["follow"](handle)
    assert handled == ["signed_up", "disabled", "session_ended"]
    assert not (tmp_path / "cursor").exists()

    (tmp_path / "cursor").write_text(program["ask"]("")["next"])
    prints(served, "users", "enable", "alice")
    with pytest.raises(Enough):
        program["follow"](handle)
    assert handled[3:] == ["enabled"]


@pytest.mark.process
def test_printed_curl_reads_the_events(served: Service, key: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    printed = shown("bash", PAGE).replace(ISSUER, served.settings.public_url)

    answer = subprocess.run(
        ["bash", "-euc", printed],
        env={"SERVICE_KEY": key, "CURSOR": "", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=60,
    )

    events = json.loads(answer.stdout)["events"]
    assert [event["event"] for event in events] == [
        "signed_up",
        "disabled",
        "session_ended",
    ]
