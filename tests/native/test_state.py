"""The stored state: encoding, and incomplete or damaged texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native import AuthManager, MemoryStore, NativeSession, default_directory
from app.native.records import (
    PendingLogin,
    State,
    StoredSession,
    decode,
    encode,
    hashed,
)

PENDING = PendingLogin(
    login_id="l",
    server_url="https://auth.example.org",
    verifier="v",
    started_at=1,
    expires_at=1801,
    session_id="s",
    oauth_url="https://auth.example.org/auth/native/open",
    user_code="BCDF-GHJK",
)
SESSION = NativeSession(
    server_url="https://auth.example.org",
    token="t",
    did="did:plc:alice",
    handle=None,
    username="alice",
    expires_at=2**33,
)
STORED = StoredSession(session=SESSION, claimed_with=hashed("s"))
BOTH = State(pending=PENDING, stored=STORED)


def signed_in(text: str) -> NativeSession | None:
    store = MemoryStore()
    store.exchange(lambda _old: text)
    return AuthManager(store).get_session()


@pytest.mark.parametrize(
    "state", [State(), State(pending=PENDING), State(stored=STORED), BOTH]
)
def test_decode_of_encode_returns_the_state(state):
    assert decode(encode(state)) == state


def test_encode_of_an_empty_state_is_none():
    assert encode(State()) is None
    assert decode(None) == State()


def test_complete_session_is_returned_by_get_session():
    assert signed_in(encode(BOTH)) == SESSION


@pytest.mark.parametrize("field", [*json.loads(encode(BOTH))["session"]])
@pytest.mark.parametrize("value", ["missing", 7.5, ["x"], True])
def test_session_with_a_missing_or_wrong_field_is_none(field, value):
    document = json.loads(encode(BOTH))
    document["session"][field] = value
    if value == "missing":
        del document["session"][field]

    assert signed_in(json.dumps(document)) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("token", ""),
        ("did", "alice"),
        ("expires_at", 1),
        ("server_url", ""),
        ("server_url", "http://auth.example.org"),
        ("server_url", "https://auth.example.org/path"),
        ("server_url", "https://auth.example.org:443"),
        ("newer", "field"),
    ],
)
def test_session_with_an_impossible_value_is_none(field, value):
    document = json.loads(encode(BOTH))
    document["session"][field] = value

    assert signed_in(json.dumps(document)) is None


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_decode_of_another_version_is_empty(version):
    document = {**json.loads(encode(BOTH)), "version": version}

    assert decode(json.dumps(document)) == State()


def test_incomplete_login_leaves_the_session():
    document = json.loads(encode(BOTH))
    del document["pending"]["verifier"]

    assert decode(json.dumps(document)) == State(stored=STORED)


@given(st.integers(0, len(encode(BOTH)) - 1))
def test_decode_of_a_truncated_text_is_empty(length):
    assert decode(encode(BOTH)[:length]) == State()


@given(st.text())
def test_decode_of_any_text_is_empty(text):
    assert decode(text) == State()


def test_repr_of_a_state_shows_no_secret():
    shown = repr(BOTH)

    assert "'v'" not in shown
    assert "'s'" not in shown
    assert "'t'" not in shown


@pytest.mark.parametrize("chosen", ["", "relative/path"])
def test_default_directory_is_the_systems_state_directory(
    monkeypatch, tmp_path, chosen
):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", chosen)
    assert default_directory("relay") == tmp_path / ".local/state/relay"

    monkeypatch.setenv("XDG_STATE_HOME", "/elsewhere")
    assert default_directory("relay") == Path("/elsewhere/relay")

    monkeypatch.setattr("sys.platform", "darwin")
    assert default_directory("relay").parts[-3:-1] == ("Library", "Application Support")


def test_decode_of_deeply_nested_json_is_empty():
    assert decode("[" * 100_000) == State()
