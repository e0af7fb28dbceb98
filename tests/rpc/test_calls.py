"""What every call has: an address, a line in the log without secrets."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from app.rpc.calls import Context, address_of
from app.wire.latchkey.v1 import auth_pb2
from tests.rpc.running import ANSWERS_WITHIN, App, metadata_of
from tests.telemetry.logged import Collector, collected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.rpc.running import Running
    from tests.service import Service


class Peer:
    """A context of which only the peer is known."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:203.0.113.7:50123", "203.0.113.7"),
        ("ipv6:%5B2001:db8::1%5D:50123", "2001:db8::1"),
        ("ipv6:[2001:db8::1]:50123", "2001:db8::1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:50123", "fe80::1%eth0"),
        ("unix:", "unix"),
        ("unix:/run/latchkey/rpc.sock", "unix"),
    ],
)
def test_address_of_a_caller_is_the_peer_address(peer: str, address: str):
    assert address_of(cast("Context", Peer(peer))) == address


def test_metadata_do_not_change_the_address_of_a_caller(
    app: App, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    request = auth_pb2.InitiateLoginRequest(identifier="alice.skyhost.social")
    forged = (("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7"))

    app.stub.InitiateLogin(request, metadata=forged)

    (line,) = [one for one in caplog.messages if "InitiateLogin OK" in one]
    assert line.startswith("127.0.0.1 ")


def test_each_call_is_one_log_line_without_secrets(
    app: App, service: Service, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    started = app.initiates("alice.skyhost.social")
    request = auth_pb2.AwaitLoginRequest(
        session_id=started.session_id, code_verifier="canary-verifier"
    )
    metadata = (("authorization", "Bearer canary-token"),)
    events = app.stub.AwaitLogin(request, metadata=metadata, timeout=ANSWERS_WITHIN)
    next(events)
    service.rows(
        "UPDATE native_logins SET status = 'denied', decided_at = ?",
        int(service.world.clock()),
    )
    list(events)

    calls = [one.split() for one in caplog.messages if one.startswith("127.0.0.1 ")]
    assert [words[1:3] for words in calls] == [
        ["InitiateLogin", "OK"],
        ["AwaitLogin", "OK"],
    ]
    secret = started.oauth_url.partition("login=")[2]
    for canary in (started.session_id, secret, "canary-verifier", "canary-token"):
        assert canary not in caplog.text


def test_a_unix_socket_serves_as_well(
    listens: Callable[..., Running], service: Service, tmp_path: Path
):
    running = listens(service, bind=f"unix:{tmp_path}/rpc.sock")
    with running.channel() as channel:
        assert App(channel).initiates("alice.skyhost.social").session_id


def calls_of(log: Collector, *, number: int = 1) -> list[dict[str, Any]]:
    """Wait for the lines of some calls: they are written after the answer is sent.

    The web application has lines in the same log.
    """
    ends = time.monotonic() + ANSWERS_WITHIN
    while time.monotonic() < ends:
        calls = [line for line in log.requests() if line["agent"] == "grpc"]
        if len(calls) >= number:
            return calls
        time.sleep(0.01)
    raise AssertionError(f"fewer than {number} calls are logged")


def test_request_id_of_the_metadata_is_logged_and_returned(app: App):
    request = auth_pb2.InitiateLoginRequest(identifier="alice.skyhost.social")

    with collected() as log:
        _, call = app.stub.InitiateLogin.with_call(
            request, metadata=(("x-request-id", "of-the-app-1"),)
        )
        (line,) = calls_of(log)

    assert ("x-request-id", "of-the-app-1") in call.trailing_metadata()
    assert line["request_id"] == "of-the-app-1"


def test_refused_call_returns_a_request_id_of_our_own(app: App):
    with collected() as log:
        with pytest.raises(grpc.RpcError) as refused:
            app.initiates("not a handle")
        (line,) = calls_of(log)

    made = metadata_of(refused.value)["x-request-id"]
    assert len(made) == 16
    assert (line["request_id"], line["code"]) == (made, "invalid_identifier")
    assert line["grpc_status"] == "INVALID_ARGUMENT"


def test_await_over_grpc_has_the_login_id_of_the_start(app: App, service: Service):
    with collected() as log:
        started = app.initiates("alice.skyhost.social")
        service.rows("UPDATE native_logins SET status = 'denied', decided_at = 1")
        app.is_told(started.session_id)
        begun, awaited = calls_of(log, number=2)

    assert begun["login_id"] == awaited["login_id"]
    assert awaited["path"] == "AwaitLogin"
