"""The error contract: codes, statuses and words of every failure (requirement 10.2)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from app.atproto.errors import AtprotoError, ClientBusy
from app.failures.failure import report
from app.failures.table import TABLE
from app.failures.texts import MESSAGES
from app.flows.errors import FlowError, StorageUnavailable
from app.tokens.errors import TokenError
from app.web.errors import HTTP_CODES, OWN, row_for
from app.web.return_to import ReturnToInvalid
from app.web.security.access import CrossSite

CONTRACT: dict[str, set[int]] = {
    "invalid_identifier": {400},
    "handle_not_found": {400},
    "account_not_found": {400},
    "handle_mismatch": {400},
    "host_unreachable": {504, 502},
    "host_without_oauth": {400},
    "server_invalid": {502},
    "access_denied": {400},
    "login_expired": {400, 404},
    "wrong_verifier": {403},
    "invalid_grant": {400},
    "wrong_browser": {403},
    "issuer_mismatch": {403},
    "account_mismatch": {403},
    "cross_site": {403},
    "invalid_return_to": {400},
    "invalid_scope": {400},
    "username_taken": {400},
    "username_invalid": {400},
    "username_reserved": {400},
    "not_signed_in": {401},
    "reconnect": {401},
    "permission_missing": {403},
    "account_unavailable": {403},
    "call_not_allowed": {403},
    "account_disabled": {403},
    "not_a_member": {403},
    "not_allowed_here": {403},
    "unknown_client": {400},
    "invalid_redirect_uri": {400},
    "request_expired": {400},
    "too_many_requests": {429},
    "invalid_request": {400},
    "cursor_expired": {410},
    "not_found": {404},
    "method_not_allowed": {405},
    "too_large": {413},
    "service_unavailable": {503},
    "internal": {500},
}
"""The codes and statuses that others build on."""


def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Yield the classes of a tree that nothing in their own module refines.

    A store may refine `StorageFailed` for itself: that has the row of its parent.
    """
    below = [one for one in kind.__subclasses__() if one.__module__ == kind.__module__]
    if not below:
        yield kind
    for one in below:
        yield from leaves(one)


LEAVES = [*leaves(AtprotoError), *leaves(FlowError), *leaves(TokenError)]
WEB = {**TABLE, **OWN}


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_failure_has_a_row(kind: type[Exception]) -> None:
    assert kind in TABLE


@pytest.mark.parametrize("kind", [CrossSite, ReturnToInvalid])
def test_failures_of_the_web_have_a_row(
    kind: type[Exception],
) -> None:
    assert kind in OWN


@pytest.mark.parametrize("kind", WEB, ids=lambda kind: kind.__name__)
def test_every_row_keeps_the_contract(kind: type[Exception]) -> None:
    row = WEB[kind]

    assert row.status in CONTRACT[row.code]
    assert (row.code, row.variant) in MESSAGES


def test_every_code_of_the_contract_can_happen() -> None:
    rows = [*WEB.values(), *HTTP_CODES.values(), row_for(RuntimeError())]

    assert {row.code for row in rows} == set(CONTRACT)


def test_every_code_of_the_contract_has_words() -> None:
    assert {code for code, variant in MESSAGES if not variant} == set(CONTRACT)


def test_unlisted_exception_is_internal() -> None:
    row = row_for(ZeroDivisionError())

    assert (row.code, row.status) == ("internal", 500)


def test_busy_process_is_503_with_retry_after() -> None:
    error = ClientBusy("name lookups")

    failure = report(error, TABLE[ClientBusy], during="POST /auth/login", platform="P")

    assert (failure.status, failure.message.code) == (503, "service_unavailable")
    assert failure.retry_after == 2


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_outage_of_the_storage_is_one_line_and_a_traceback_at_debug(
    caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level, "app.failures.failure")
    error = StorageUnavailable("database or disk is full")

    failure = report(error, row_for(error), during="GET /auth/session", platform="P")

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "database or disk is full" in record.getMessage()
    assert bool(record.exc_info) is (level == logging.DEBUG)
    assert (failure.status, failure.retry_after) == (503, 10)
