"""What is kept, and that half of it is nothing."""

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
def test_what_is_kept_comes_back(state):
    assert decode(encode(state)) == state


def test_nothing_is_kept_as_nothing():
    assert encode(State()) is None
    assert decode(None) == State()


def test_a_whole_session_is_somebody_who_is_signed_in():
    assert signed_in(encode(BOTH)) == SESSION


@pytest.mark.parametrize("field", [*json.loads(encode(BOTH))["session"]])
@pytest.mark.parametrize("value", ["missing", 7.5, ["x"], True])
def test_half_a_session_is_none(field, value):
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
def test_a_session_that_cannot_be_is_none(field, value):
    document = json.loads(encode(BOTH))
    document["session"][field] = value

    assert signed_in(json.dumps(document)) is None


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_a_state_of_another_version_is_none(version):
    document = {**json.loads(encode(BOTH)), "version": version}

    assert decode(json.dumps(document)) == State()


def test_half_a_login_does_not_spoil_the_session():
    document = json.loads(encode(BOTH))
    del document["pending"]["verifier"]

    assert decode(json.dumps(document)) == State(stored=STORED)


@given(st.integers(0, len(encode(BOTH)) - 1))
def test_a_text_that_was_cut_off_is_nothing(length):
    assert decode(encode(BOTH)[:length]) == State()


@given(st.text())
def test_no_text_breaks_the_reading(text):
    assert decode(text) == State()


def test_the_secrets_of_a_state_do_not_show_when_it_is_printed():
    shown = repr(BOTH)

    assert "'v'" not in shown
    assert "'s'" not in shown
    assert "'t'" not in shown


@pytest.mark.parametrize("chosen", ["", "relative/path"])
def test_an_app_keeps_its_state_where_the_system_says(monkeypatch, tmp_path, chosen):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", chosen)
    assert default_directory("relay") == tmp_path / ".local/state/relay"

    monkeypatch.setenv("XDG_STATE_HOME", "/elsewhere")
    assert default_directory("relay") == Path("/elsewhere/relay")

    monkeypatch.setattr("sys.platform", "darwin")
    assert default_directory("relay").parts[-3:-1] == ("Library", "Application Support")
