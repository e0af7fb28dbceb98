"""The line of each request, and X-Request-Id."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from app.flows.errors import StorageUnavailable
from app.logs import FIELDS
from app.telemetry.context import current
from app.web.request_log import RequestLog, agent_of
from tests.telemetry.logged import collected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service import Service

CANARY = "canary-secret"


def asks(service: Service, path: str, method: str = "GET", **headers: str) -> Any:
    """Ask as a server does: iterate and close."""
    client = service.app.test_client()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.open(path, method=method, headers=named, buffered=True)
    answer.close()
    return answer


def test_request_has_one_line_with_its_fields(service: Service):
    with collected() as log:
        asks(service, "/auth/login", User_Agent="Mozilla/5.0 (X11)")

    (line,) = log.requests()
    fields = {name: line[name] for name in FIELDS if name in line}
    assert fields.pop("ms") >= 0
    assert fields == {
        "method": "GET",
        "path": "/auth/login",
        "status": 200,
        "address": "127.0.0.1",
        "agent": "browser",
    }
    assert line["level"] == "info"


def test_failed_request_has_its_code(service: Service):
    with collected() as log:
        asks(service, "/auth/session")

    (line,) = log.requests()
    assert (line["status"], line["code"]) == (401, "not_signed_in")


def test_failure_line_has_code_and_error(service: Service):
    with collected() as log:
        asks(service, "/auth/session")

    failure, access = log.lines
    assert (failure["code"], failure["error"]) == ("not_signed_in", "no token")
    assert failure["request_id"] == access["request_id"]


def test_sane_request_id_is_taken_and_returned(service: Service):
    with collected() as log:
        answer = asks(service, "/auth/login", X_Request_Id="of-the-proxy-1")

    assert answer.headers.getlist("X-Request-Id") == ["of-the-proxy-1"]
    assert log.requests()[0]["request_id"] == "of-the-proxy-1"


@pytest.mark.parametrize("given", ["x y z forged", "a" * 65, "\x1b[2Jwipes", "abc"])
def test_other_request_id_is_replaced(service: Service, given: str):
    with collected() as log:
        answer = asks(service, "/auth/login", X_Request_Id=given)

    made = answer.headers["X-Request-Id"]
    assert len(made) == 16
    assert log.requests()[0]["request_id"] == made
    assert given not in "".join(log.texts)


def test_no_query_is_logged(service: Service):
    """Callback URLs carry codes and states (requirement 9.22)."""
    with collected(logging.DEBUG) as log:
        asks(service, f"/auth/callback?code={CANARY}&state={CANARY}&iss={CANARY}")
        asks(service, f"/nowhere?code={CANARY}")

    assert len(log.requests()) == 2
    assert CANARY not in "".join(log.texts)


def test_await_secret_of_a_path_is_not_logged(service: Service):
    with collected(logging.DEBUG) as log:
        asks(service, f"/auth/native/login/{CANARY}/await")
        asks(service, f"/auth/native/login/{CANARY}")

    assert len(log.requests()) == 2
    assert CANARY not in "".join(log.texts)


def test_user_agent_and_foreign_method_are_not_logged(service: Service):
    with collected() as log:
        asks(service, "/auth/login", method="BREW", User_Agent=CANARY)

    (line,) = log.requests()
    assert (line["method"], line["agent"]) == ("other", "other")
    assert CANARY not in "".join(log.texts)


HOSTILE = "/x%0d%0aforged%1b[2J%7f%e2%80%a8 request_id=forged"


def test_path_without_route_is_quoted(service: Service):
    with collected() as log:
        asks(service, HOSTILE)

    (line,) = log.requests()
    assert line["path"].startswith("/x%0D%0Aforged%1B")
    assert " " not in line["path"]
    assert all(text.isprintable() for text in log.texts)


def test_long_path_without_route_is_cut(service: Service):
    with collected() as log:
        asks(service, "/" + "a" * 5000)

    assert len(log.requests()[0]["path"]) == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/auth/verify"])
def test_machines_that_ask_often_are_logged_at_debug(service: Service, path: str):
    with collected() as log:
        asks(service, path)
    with collected(logging.DEBUG) as verbose:
        asks(service, path)

    assert log.lines == []
    assert [line["level"] for line in verbose.requests()] == ["debug"]


class Outage:
    """A readiness check that fails."""

    def __call__(self) -> None:
        raise StorageUnavailable("no room")


def test_probes_of_an_outage_are_logged_once_and_not_one_by_one(service: Service):
    """Readiness has a line for each change; a probe asks every few seconds."""
    readiness = service.app.extensions["latchkey"].documents.readiness
    readiness.checks = {**readiness.checks, "space": Outage()}
    with collected() as log:
        answers = [asks(service, "/readyz") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert [line["message"] for line in log.lines] == ["not ready: space: no room"]


@pytest.mark.parametrize(
    ("route", "status", "level"),
    [
        ("/readyz", "503 Service Unavailable", "debug"),
        ("/readyz", "500 Internal Server Error", "info"),
        ("/auth/verify", "503 Service Unavailable", "info"),
        ("/.well-known/jwks.json", "503 Service Unavailable", "info"),
    ],
)
def test_failure_of_what_is_asked_often_is_quiet_only_for_a_probe(route, status, level):
    def fails(_environ: Any, start: Any) -> Any:
        record = current()
        assert record is not None
        record.route, record.is_quiet = route, True
        start(status, [])
        return ()

    with collected(logging.DEBUG) as log:
        served = RequestLog(fails)({"REQUEST_METHOD": "GET"}, lambda *_: None)
        served.close()

    assert [line["level"] for line in log.requests()] == [level]


def test_log_access_off_leaves_failures(open_service: Callable[..., Service]):
    service = open_service(log_access=False)

    with collected(logging.DEBUG) as log:
        asks(service, "/auth/session")

    assert log.requests() == []
    assert "not_signed_in" in "".join(log.texts)


def test_line_is_written_when_the_answer_is_sent():
    """A stream lasts for minutes: its line has its whole time."""
    now = iter([100.0, 107.0])

    def stream(_environ: Any, start: Any) -> Any:
        start("200 OK", [])
        yield b"one"
        logging.getLogger("app.x").info("within")
        yield b"two"

    served = RequestLog(stream, clock=lambda: next(now))(
        {"REQUEST_METHOD": "GET"}, lambda *_: None
    )
    with collected() as log:
        parts = list(served)
        before = log.requests()
        served.close()

    assert parts == [b"one", b"two"]
    assert before == []
    assert log.requests()[0]["ms"] == 7000.0
    assert len({line["request_id"] for line in log.lines}) == 1
    assert log.lines[0]["message"] == "within"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "none"),
        ("Mozilla/5.0 (X11; Linux) Firefox/140.0", "browser"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "bot"),
        ("curl/8.5.0", "program"),
        ("python-requests/2.32", "program"),
        ("Something/1.0", "other"),
        ("x" * 100_000, "other"),
    ],
)
def test_agent_is_one_of_five_classes(text, kind):
    assert agent_of(text) == kind
