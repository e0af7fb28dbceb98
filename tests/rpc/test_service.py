"""InitiateLogin, and how each failure is told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc
import pytest

from app import failures
from app.atproto.crypto.proofs import challenge_of
from app.rpc.calls import BY_CODE, status_of

from .running import App, metadata_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.clock import FakeClock
    from tests.fakes.world import World
    from tests.service import Service

    from .running import Running

ALICE = "alice.skyhost.social"
VERIFIER = "a-verifier-of-at-least-43-characters-for-the-app"


def test_a_login_begins_with_a_link_a_secret_and_a_code(app: App, service: Service):
    started = app.initiates(ALICE, app_name="Sky Desk")

    assert started.oauth_url.startswith(f"{service.home}/auth/native/open?login=")
    assert started.session_id not in started.oauth_url
    assert len(started.user_code) == 9
    assert started.expires_in == 1800
    assert service.rows("SELECT app_name, status FROM native_logins") == [
        ("Sky Desk", "pending")
    ]


def test_an_app_need_not_say_its_name(app: App, service: Service):
    app.initiates(ALICE)

    assert service.rows("SELECT app_name FROM native_logins") == [("An app",)]


@pytest.mark.parametrize(
    ("typed", "code", "error"),
    [
        ("not a handle", grpc.StatusCode.INVALID_ARGUMENT, "invalid_identifier"),
        ("", grpc.StatusCode.INVALID_ARGUMENT, "invalid_identifier"),
        ("did:key:zabc", grpc.StatusCode.INVALID_ARGUMENT, "invalid_identifier"),
        ("unknown.paints.ink", grpc.StatusCode.NOT_FOUND, "handle_not_found"),
        (ALICE, grpc.StatusCode.UNAVAILABLE, "host_unreachable"),
    ],
)
def test_initiate_with_an_unusable_identifier_returns_its_status(
    app: App, world: World, typed: str, code: grpc.StatusCode, error: str
):
    world.home("unknown.paints.ink")
    world.network.unplug("pds.skyhost.social")

    with pytest.raises(grpc.RpcError) as refused:
        app.initiates(typed)

    told = metadata_of(refused.value)
    assert refused.value.code() == code
    assert told["latchkey-error"] == error
    assert ". " in refused.value.details()  # title and text


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("app_name", "x" * 65),
        ("app_name", "two\nlines"),
        ("code_challenge", "too-short"),
    ],
)
def test_initiate_with_an_invalid_field_returns_invalid_argument(
    app: App, field: str, text: str
):
    with pytest.raises(grpc.RpcError) as refused:
        app.initiates(ALICE, **{field: text})

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert metadata_of(refused.value)["latchkey-error"] == "invalid_request"


def test_reference_of_a_refusal_is_in_the_log(
    app: App, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)

    with pytest.raises(grpc.RpcError) as refused:
        app.initiates("not a handle")

    reference = metadata_of(refused.value)["latchkey-reference"]
    (line,) = [one for one in caplog.messages if reference in one]
    assert line.startswith("InitiateLogin: invalid_identifier (")


def test_unexpected_exception_is_internal_without_details(
    app: App, service: Service, caplog: pytest.LogCaptureFixture
):
    service.breaks("native_logins")

    with pytest.raises(grpc.RpcError) as refused:
        app.initiates(ALICE)

    assert refused.value.code() == grpc.StatusCode.INTERNAL
    assert metadata_of(refused.value)["latchkey-error"] == "internal"
    assert "native_logins" not in refused.value.details()
    assert [one.levelname for one in caplog.records if one.exc_info] == ["ERROR"]


def test_an_address_may_begin_so_many_logins(
    listens: Callable[..., Running], open_service: Callable[..., Service]
):
    service = open_service(rate_limit_login_per_address="1/minute")
    with listens(service).channel() as channel:
        app = App(channel)
        app.initiates(ALICE)
        with pytest.raises(grpc.RpcError) as refused:
            app.initiates(ALICE)

    told = metadata_of(refused.value)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told["latchkey-error"] == "too_many_requests"
    assert int(told["retry-after"]) >= 1


def test_await_with_unknown_secret_returns_not_found(app: App):
    with pytest.raises(grpc.RpcError) as refused:
        app.is_told("no-such-login")

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert metadata_of(refused.value)["latchkey-error"] == "login_expired"


@pytest.mark.parametrize("verifier", ["", "another-verifier", "\u00fcmlaut"])
def test_await_without_the_verifier_is_refused(app: App, verifier: str):
    started = app.initiates(ALICE, code_challenge=challenge_of(VERIFIER))

    with pytest.raises(grpc.RpcError) as refused:
        app.is_told(started.session_id, code_verifier=verifier)

    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert metadata_of(refused.value)["latchkey-error"] == "wrong_verifier"


def test_await_of_an_undecided_login_ends_with_expired(app: App, clock: FakeClock):
    started = app.initiates(ALICE, code_challenge=challenge_of(VERIFIER))
    events = app.awaits(started.session_id, code_verifier=VERIFIER)
    first = next(events).WhichOneof("outcome")

    clock.advance(1801)

    assert first == "pending"
    assert [event.WhichOneof("outcome") for event in events] == ["expired"]


def test_message_above_16_kb_is_refused(app: App):
    with pytest.raises(grpc.RpcError) as refused:
        app.initiates("x" * 20_000)

    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


# --- the table ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", failures.TABLE, ids=lambda kind: kind.__name__)
def test_every_failure_has_a_status_code(kind: type[Exception]):
    row = failures.TABLE[kind]

    assert status_of(row.code, row.status) not in {
        grpc.StatusCode.OK,
        grpc.StatusCode.UNKNOWN,
    }


def test_codes_with_their_own_status_are_in_the_table():
    assert set(BY_CODE) <= {row.code for row in failures.TABLE.values()}


def test_outage_of_the_database_is_unavailable_with_a_time_to_try_again(
    app: App, service: Service
):
    service.rows("ALTER TABLE native_logins RENAME TO gone")

    with pytest.raises(grpc.RpcError) as refused:
        app.initiates(ALICE)

    told = metadata_of(refused.value)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert told["latchkey-error"] == "service_unavailable"
    assert told["retry-after"] == "10"
