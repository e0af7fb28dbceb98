"""Streams of awaiting apps under gunicorn as it is shipped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.serving.apps import People, Stream
from tests.serving.server import Server, serving

pytestmark = pytest.mark.process


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    people = People(tmp_path)
    yield people
    people.database.close()


def opened(server: Server, session_id: str) -> Stream:
    """Open a stream and read it up to `pending`."""
    stream = Stream.open(server.path, session_id)
    assert stream.status() == 200
    assert stream.event()["status"] == "pending"
    return stream


def status_of_another(server: Server, session_id: str) -> int:
    with closing(Stream.open(server.path, session_id)) as stream:
        return stream.status()


def test_a_stream_outlives_every_timeout_of_the_server(tmp_path: Path, people: People):
    session_id = people.begin()
    impatient = {"GUNICORN_CMD_ARGS": "--timeout 4 --keep-alive 1"}
    settings = {**people.environment, **impatient}
    with (
        serving("wsgi:app", tmp_path, **settings) as server,
        closing(opened(server, session_id)) as stream,
    ):
        time.sleep(6)  # each worker reports once a second, or is ended after four
        people.deny(session_id)

        assert stream.event()["status"] == "denied"

    assert "WORKER TIMEOUT" not in server.log.read_text()


def test_a_restart_waits_for_no_stream_and_loses_none(tmp_path: Path, people: People):
    """The app connects again and gets the decision made in between."""
    session_ids = [people.begin() for _ in range(20)]
    with ExitStack() as held:
        with serving("wsgi:app", tmp_path, **people.environment) as server:
            streams = [
                held.enter_context(closing(opened(server, session_id)))
                for session_id in session_ids
            ]
        ends = [stream.rest() for stream in streams]

    # Each came to its end, which streams that are killed with their worker do not.
    assert all(end.endswith(b"0\r\n\r\n") for end in ends)
    assert not any(b"event: " in end for end in ends)

    people.deny(session_ids[0])
    with (
        serving("wsgi:app", tmp_path, **people.environment) as server,
        closing(Stream.open(server.path, session_ids[0])) as again,
    ):
        assert again.event()["status"] == "denied"


def test_closed_stream_frees_its_place(tmp_path: Path, people: People):
    settings = {**people.environment, "LATCHKEY_NATIVE_STREAMS_PER_ADDRESS": "1"}
    session_id = people.begin()
    with serving("tests.serving.quick:app", tmp_path, **settings) as server:
        with closing(opened(server, session_id)):
            assert status_of_another(server, session_id) == 429

        for _ in range(300):
            status = status_of_another(server, session_id)
            if status == 200:
                break
            time.sleep(0.1)
        assert status == 200


def test_requests_are_served_while_many_streams_wait(tmp_path: Path, people: People):
    session_ids = [people.begin() for _ in range(300)]
    settings = {**people.environment, "LATCHKEY_NATIVE_STREAMS_PER_ADDRESS": "300"}
    with ExitStack() as held:
        server = held.enter_context(serving("wsgi:app", tmp_path, **settings))
        streams = [
            held.enter_context(closing(opened(server, session_id)))
            for session_id in session_ids
        ]

        assert json.loads(server.get("/healthz"))["status"] == "ok"

        people.deny(session_ids[-1])
        assert streams[-1].event()["status"] == "denied"


def test_access_log_of_streams_has_no_await_secret(tmp_path: Path, people: People):
    session_id, unknown = people.begin(), "canary-session-id"
    people.deny(session_id)
    with serving("wsgi:app", tmp_path, **people.environment) as server:
        for secret in (session_id, unknown):
            with closing(Stream.open(server.path, secret)) as stream:
                stream.rest()

    log = server.log.read_text()

    assert "GET /auth/native/login/.../await 200" in log
    assert "GET /auth/native/login/.../await 404" in log
    assert session_id not in log
    assert unknown not in log
