"""GET /auth/native/login/SECRET/await: an app waits for its token."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.crypto.proofs import challenge_of
from app.flows.errors import (
    AccountDisabled,
    NativeLoginUnknown,
    TooManyRequests,
    VerifierMismatch,
)
from app.flows.native.outcome import NativeOutcome
from app.flows.native.start import NATIVE_LOGIN_LIFETIME
from app.flows.native.wait import DELIVERY_WINDOW
from app.flows.ports import DecidedLogin
from tests.stores.samples import user

PHONE = "203.0.113.7"
VERIFIER = "a-verifier-of-at-least-43-characters-for-the-app"


def test_look_before_the_decision_returns_pending_and_remaining_seconds(
    app_waits, started, clock
):
    clock.advance(30)

    outcome = app_waits.look(started.await_secret)

    assert outcome == NativeOutcome(status="pending", expires_in=1770)


def test_look_after_the_lifetime_returns_expired(app_waits, started, clock):
    clock.advance(NATIVE_LOGIN_LIFETIME)

    assert app_waits.look(started.await_secret).status == "expired"


def test_look_after_allow_returns_token_and_account(app_waits, allowed):
    outcome = app_waits.look(allowed.await_secret)

    assert outcome == NativeOutcome(
        status="completed",
        token="token-1",
        did=user().did,
        handle="alice.test",
        username="alice",
        expires_in=86_400,
        refresh_token=outcome.refresh_token,
        refresh_expires_in=outcome.refresh_expires_in,
    )
    assert "token-1" not in repr(outcome)


def test_each_look_after_allow_mints_a_token(app_waits, allowed, tokens):
    assert tokens.minted == 0

    app_waits.look(allowed.await_secret)
    app_waits.look(allowed.await_secret)

    assert tokens.minted == 2


def test_look_after_deny_returns_denied(app_waits, logins, started):
    logins.change(sha256_hex(started.await_secret), status="denied")

    assert app_waits.look(started.await_secret) == NativeOutcome(status="denied")


def test_look_after_the_delivery_window_returns_expired(app_waits, allowed, clock):
    clock.advance(DELIVERY_WINDOW - 1)

    assert app_waits.look(allowed.await_secret).status == "completed"

    clock.advance(1)

    assert app_waits.look(allowed.await_secret).status == "expired"


def test_delivery_window_counts_from_the_decision(app_waits, logins, started, clock):
    clock.advance(NATIVE_LOGIN_LIFETIME - 1)
    logins.change(
        sha256_hex(started.await_secret),
        status="completed",
        sid="sid-1",
        decided_at=clock(),
    )
    clock.advance(DELIVERY_WINDOW - 1)

    assert app_waits.look(started.await_secret).status == "completed"


def test_look_after_acknowledge_returns_expired(app_waits, allowed, tokens):
    app_waits.acknowledge(allowed.await_secret)

    assert app_waits.look(allowed.await_secret).status == "expired"
    assert tokens.minted == 0


def test_look_with_an_ended_session_returns_expired(app_waits, allowed, sessions):
    sessions.live.clear()

    assert app_waits.look(allowed.await_secret).status == "expired"


def test_look_with_a_disabled_account_raises_account_disabled(
    app_waits, allowed, tokens
):
    tokens.disabled = True

    with pytest.raises(AccountDisabled):
        app_waits.look(allowed.await_secret)


@pytest.mark.parametrize("secret", ["", "unknown", "é"])
def test_unknown_await_secret_raises_native_login_unknown(
    app_waits, allowed, logins, secret
):
    with pytest.raises(NativeLoginUnknown):
        app_waits.look(secret)
    with pytest.raises(NativeLoginUnknown):
        app_waits.acknowledge(secret)


def test_login_id_as_await_secret_raises_native_login_unknown(
    app_waits, allowed, logins
):
    [login_id] = logins.rows

    with pytest.raises(NativeLoginUnknown):
        app_waits.look(login_id)


def handed_over(logins, started, **changes):
    """What the watcher hands to the app's stream: the decision as it is stored now."""
    login = logins.get(sha256_hex(started.await_secret))
    decided = DecidedLogin(
        login_id=login.login_id,
        status=login.status,
        sid=login.sid,
        did=login.did,
        decided_at=login.decided_at,
        acknowledged_at=login.acknowledged_at,
    )
    return SimpleNamespace(decided=replace(decided, **changes))


class UnreadLogins:
    """Logins that are not to be read."""

    def get(self, login_id):
        raise AssertionError("the login is read although its decision is known")


@pytest.fixture
def told(app_waits):
    """The use case of a stream that is told the decision."""
    return replace(app_waits, logins=UnreadLogins())


def test_look_again_with_a_denial_returns_denied_without_a_read(told, logins, started):
    denial = handed_over(logins, started, status="denied")

    assert told.look_again(denial, started.await_secret).status == "denied"


def test_look_again_with_a_completion_delivers_without_a_read(told, logins, allowed):
    completion = handed_over(logins, allowed)

    outcome = told.look_again(completion, allowed.await_secret)

    assert (outcome.status, outcome.token) == ("completed", "token-1")
    assert outcome.refresh_token


def test_look_again_without_a_decision_reads_the_login(app_waits, logins, started):
    pending = SimpleNamespace(decided=None)

    assert app_waits.look_again(pending, started.await_secret).status == "pending"
    logins.change(sha256_hex(started.await_secret), status="denied")
    assert app_waits.look_again(pending, started.await_secret).status == "denied"


def test_look_again_after_the_delivery_window_returns_expired(
    told, logins, allowed, clock
):
    completion = handed_over(logins, allowed)
    clock.advance(DELIVERY_WINDOW)

    assert told.look_again(completion, allowed.await_secret).status == "expired"


def test_look_again_with_an_ended_session_returns_expired(
    told, logins, allowed, sessions
):
    completion = handed_over(logins, allowed)
    sessions.live.clear()

    assert told.look_again(completion, allowed.await_secret).status == "expired"


def test_look_again_with_a_disabled_account_raises_account_disabled(
    told, logins, allowed, tokens
):
    completion = handed_over(logins, allowed)
    tokens.disabled = True

    with pytest.raises(AccountDisabled):
        told.look_again(completion, allowed.await_secret)


@pytest.fixture
def bound(app_starts, logins, clock):
    """A login that was begun with a challenge, and confirmed."""
    started = app_starts.start(
        "alice.test", address=PHONE, code_challenge=challenge_of(VERIFIER)
    )
    login_id = sha256_hex(started.await_secret)
    logins.change(login_id, status="completed", sid="sid-1", decided_at=clock())
    return started


@pytest.mark.parametrize("verifier", [None, "", "another", "é", challenge_of(VERIFIER)])
def test_wrong_verifier_raises_verifier_mismatch(app_waits, bound, tokens, verifier):
    with pytest.raises(VerifierMismatch):
        app_waits.look(bound.await_secret, code_verifier=verifier)
    with pytest.raises(VerifierMismatch):
        app_waits.acknowledge(bound.await_secret, code_verifier=verifier)

    assert tokens.minted == 0
    outcome = app_waits.look(bound.await_secret, code_verifier=VERIFIER)
    assert outcome.status == "completed"


def test_admit_beyond_the_stream_limit_raises_too_many_requests(app_waits):
    with app_waits.admit(PHONE), pytest.raises(TooManyRequests):
        app_waits.admit(PHONE).__enter__()

    with app_waits.admit(PHONE):
        pass


def test_watch_passes_the_hash_of_the_await_secret(app_waits):
    watched = []

    class Events:
        def watch(self, login_id, wake):
            watched.append(login_id)
            return nullcontext()

    with replace(app_waits, events=Events()).watch("secret", lambda: None):
        assert watched == [sha256_hex("secret")]
