"""One search shows the story of an app's login in the logs of two running nodes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.telemetry.context import login_id_of
from tests.serving.apps import People, Stream
from tests.serving.server import Server, serving

pytestmark = pytest.mark.process


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    people = People(tmp_path)
    yield people
    people.database.close()


def lines_of(server: Server, login_id: str) -> list[dict[str, Any]]:
    """Search the log of a node that has ended."""
    lines = (json.loads(line) for line in server.log.read_text().splitlines())
    return [line for line in lines if line.get("login_id") == login_id]


def test_link_on_one_node_and_await_on_another_have_one_login_id(
    tmp_path: Path, people: People
):
    secret = secrets.token_urlsafe(32)
    session_id = people.begin(secret)
    settings = {**people.environment, "LATCHKEY_LOG_FORMAT": "json"}
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with (
        serving("wsgi:app", here, **settings) as first,
        serving("wsgi:app", there, **settings) as second,
        closing(Stream.open(first.path, session_id)) as stream,
    ):
        assert stream.event()["status"] == "pending"
        second.get(f"/auth/native/open?login={secret}")
        people.deny(session_id)
        assert stream.event()["status"] == "denied"
        stream.rest()

    login_id = login_id_of(secret)
    (awaited,), (opened,) = lines_of(first, login_id), lines_of(second, login_id)
    assert awaited["path"] == "/auth/native/login/.../await"
    assert (opened["path"], opened["status"]) == ("/auth/native/open", 303)
    assert secret not in first.log.read_text() + second.log.read_text()
    assert session_id not in first.log.read_text() + second.log.read_text()
