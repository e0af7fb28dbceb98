"""XRPC_ALLOW and the size limits of XRPC calls."""

from __future__ import annotations

import pytest

from tests.config.reading import read, refusal


def test_xrpc_allow_defaults_to_no_calls():
    assert read().xrpc_allow.allowed.permissions == ()
    assert read(XRPC_ALLOW="none").xrpc_allow == read().xrpc_allow


def test_xrpc_allow_is_parsed_as_permissions():
    rules = read(XRPC_ALLOW="repo:app.relay.track  blob:image/* rpc:app.relay.getX")

    assert str(rules.xrpc_allow.allowed) == (
        "repo:app.relay.track blob:image/* rpc:app.relay.getX?aud=*"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("repo:app.relay.*", "app.relay.* is no collection"),
        ("everything", "everything names no call"),
        ("rpc:com.atproto.repo.createRecord", "is allowed with repo:"),
        ("rpc:com.atproto.server.getServiceAuth", "is never called for a service"),
        ("rpc:*", "every method of every service"),
        ("atproto", "atproto names no call"),
    ],
)
def test_xrpc_allow_that_names_no_call_is_refused(text, why):
    (line,) = refusal(XRPC_ALLOW=f"blob:*/* {text}")

    assert line.startswith("LATCHKEY_XRPC_ALLOW: ")
    assert why in line


def test_sizes_carry_units():
    assert read(XRPC_MAX_BLOB="5MB").xrpc_max_blob == 5_000_000
    assert read(XRPC_MAX_JSON="150 KB").xrpc_max_json == 150_000


@pytest.mark.parametrize("text", ["5", "0MB", "-1MB", "1GB", "5mb", "1.5MB", "MB"])
def test_a_size_without_a_unit_is_refused(text):
    (line,) = refusal(XRPC_MAX_BLOB=text)

    assert line.startswith("LATCHKEY_XRPC_MAX_BLOB: ")
    assert "no size" in line
