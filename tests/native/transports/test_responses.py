"""Parsers of the service's JSON, with right and wrong documents."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.errors import NotALatchkeyServer
from app.native.transports import responses
from app.native.transports.transport import Completed, Denied, Expired, Pending

COMPLETED = {
    "status": "completed",
    "token": "eyJ.eyJ.sig",
    "did": "did:plc:alice",
    "handle": "alice.example.com",
    "username": "alice",
    "expires_in": 86_400,
}
INITIATED = {
    "oauth_url": "https://auth.example.org/auth/native/open?login=x",
    "session_id": "s" * 43,
    "user_code": "BCDF-GHJK",
    "expires_in": 1800,
}


def test_await_document_of_each_status_is_parsed():
    assert responses.answer({"status": "pending"}) == Pending()
    assert responses.answer({"status": "denied"}) == Denied()
    assert responses.answer({"status": "expired"}) == Expired()
    assert isinstance(responses.answer(COMPLETED), Completed)


@pytest.mark.parametrize("handle", [None, ""])
def test_completed_without_handle_has_handle_none(handle):
    """JSON says null and gRPC says nothing."""
    answer = responses.answer({**COMPLETED, "handle": handle})

    assert isinstance(answer, Completed)
    assert answer.handle is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("token", value) for value in (None, "", 7, "a b", "a\nb", "\u00fc")],
        *[("did", value) for value in (None, "alice", 7)],
        *[("handle", 7), ("username", None), ("username", 7)],
        *[("expires_in", value) for value in (None, 0, -1, "1", 1.5, True, 10**12)],
    ],
)
def test_completed_with_a_bad_field_raises_not_a_latchkey_server(field, value):
    with pytest.raises(NotALatchkeyServer):
        responses.answer({**COMPLETED, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            ("session_id", value)
            for value in (None, "short", "../../etc" * 5, "s" * 999)
        ],
        *[
            ("user_code", value)
            for value in (None, "", "\x1b[2J", "abcd-efgh", "A" * 99)
        ],
        *[("oauth_url", value) for value in (None, "file:///x", "https://a@b/")],
        ("expires_in", 0),
    ],
)
def test_initiated_with_a_bad_field_raises_not_a_latchkey_server(field, value):
    assert responses.initiated(INITIATED).session_id == "s" * 43

    with pytest.raises(NotALatchkeyServer):
        responses.initiated({**INITIATED, field: value})


@pytest.mark.parametrize("document", [{}, {"error": 7}, {"error": "Not Found"}])
def test_document_without_an_error_code_is_no_refusal(document):
    assert responses.refusal(document) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0", 0.0), ("", None), (None, None), ("-1", None), ("1e9", None)],
)
def test_retry_after_is_parsed_in_seconds_only(text, seconds):
    assert responses.parse_seconds(text) == seconds
    assert responses.parse_seconds("Wed, 21 Oct 2026 07:28:00 GMT") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*COMPLETED, *INITIATED, "error"]), JSON),
    st.sampled_from(["pending", "completed", "denied", "expired"]) | JSON,
)
def test_any_document_is_parsed_or_raises_not_a_latchkey_server(document, status):
    for read in (responses.answer, responses.initiated):
        try:
            read({**document, "status": status})
        except NotALatchkeyServer:
            continue
    responses.refusal(document)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"7", b"null", b"[" * 60_000]
)
def test_body_that_is_no_json_object_raises_not_a_latchkey_server(body):
    with pytest.raises(NotALatchkeyServer):
        responses.parse_document(body)

    assert responses.parse_document(json.dumps({"a": 1})) == {"a": 1}
