"""Labels are words of ours, also for what nothing of ours says."""

from __future__ import annotations

import pytest

from app.atproto.errors import (
    AuthorizationFailed,
    HandleNotFound,
    HostCircuitOpen,
    HostUnknown,
    HostUnreachable,
    ServerInvalid,
    UnsafeURL,
)
from app.atproto.events import RequestEnded
from app.failures.table import TABLE
from app.flows.errors import HostRateLimited, TooManyRequests
from app.metrics.labels import (
    host_class,
    limit_of,
    one_of,
    outcome_of,
    result_of,
    status_class,
)


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("plc.directory", "plc"),
        ("bsky.social", "bsky"),
        ("alice.bsky.social", "bsky"),
        ("morel.us-east.host.bsky.network", "bsky"),
        ("evilbsky.social", "other"),
        ("bsky.social.evil.org", "other"),
        ('x"} 1\n', "other"),
        ("", "other"),
    ],
)
def test_host_is_one_of_three_classes(host, kind):
    assert host_class(host, "plc.directory") == kind


@pytest.mark.parametrize(
    ("status", "kind"), [(200, "2xx"), (429, "429"), (404, "4xx"), (999, "other")]
)
def test_status_is_a_class(status, kind):
    assert status_class(status) == kind


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (HostUnknown("a.b"), "unknown_name"),
        (HostCircuitOpen("a.b", 1.0), "circuit_open"),
        (HostUnreachable("a.b", "x"), "unreachable"),
        (UnsafeURL("a.b", "x"), "unsafe"),
        (ServerInvalid("a.b", "x"), "invalid"),
        (RuntimeError("a stranger's text"), "other"),
    ],
)
def test_request_without_answer_says_why(error, word):
    assert result_of(RequestEnded("did", "a.b", None, error, 0.0)) == word


def test_outcome_has_the_code_of_the_error_table():
    codes = {row.code for row in TABLE.values()}

    assert outcome_of(None) == ("ok", "")
    assert outcome_of(HandleNotFound("a.b")) == ("refused", "handle_not_found")
    for error in (AuthorizationFailed("evil", "evil"), RuntimeError("evil")):
        assert outcome_of(error)[1] in codes


def test_limit_is_one_that_we_know():
    assert limit_of(TooManyRequests("address", 1)) == "address"
    assert limit_of(TooManyRequests("evil", 1)) == "other"
    assert limit_of(HostRateLimited(1)) == "pds"
    assert limit_of(ValueError()) is None
    assert one_of("evil", {"good"}) == "other"
