"""The app's half of a native login, against stores in memory."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import pytest

from app.atproto.crypto.proofs import challenge_of
from app.atproto.oauth.callback import fingerprint
from app.flows.concurrency import ConcurrencyLimit
from app.flows.destination import Destination
from app.flows.errors import (
    AccountDisabled,
    AppNameInvalid,
    CodeChallengeInvalid,
    NativeLoginUnknown,
    TooManyRequests,
    VerifierMismatch,
)
from app.flows.login import LoginStarted
from app.flows.native.app_identity import CODE_ALPHABET
from app.flows.native.wait import (
    DELIVERY_WINDOW,
    NATIVE_LOGIN_LIFETIME,
    AwaitNativeLogin,
    NativeOutcome,
    StartNativeLogin,
)
from app.flows.session import SignedIn
from tests.stores.samples import session, user

HOME = "https://auth.platform.cafe"
PHONE = "203.0.113.7"
VERIFIER = "a-verifier-of-at-least-43-characters-for-the-app"


@dataclass
class FakeLogins:
    """Native logins in a dictionary."""

    rows: dict[str, object] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def add(self, login, *, open_secret):
        self.rows[login.login_id] = login
        self.secrets[open_secret] = login.login_id

    def get(self, login_id):
        return self.rows.get(login_id)

    def acknowledge(self, login_id, now):
        self.change(login_id, acknowledged_at=now)
        return True

    def change(self, login_id, **changes):
        self.rows[login_id] = replace(self.rows[login_id], **changes)


@dataclass
class FakeStart:
    """Begins logins, and notes what it was asked for."""

    asked: list[dict[str, object]] = field(default_factory=list)
    refusal: Exception | None = None

    def start(self, aim, **asked):
        if self.refusal:
            raise self.refusal
        self.asked.append({"aim": aim, **asked})
        return LoginStarted(
            url="https://auth.test/authorize", state="the-state", secret="link/secret"
        )


@dataclass
class FakeTokens:
    """Mints tokens one could count."""

    minted: int = 0
    disabled: bool = False

    def issue(self, session):
        if self.disabled:
            raise AccountDisabled(session.did)
        self.minted += 1
        return SignedIn(session=session, user=user(), token=f"token-{self.minted}")


@dataclass
class FakeSessions:
    live: dict[str, object] = field(default_factory=dict)

    def get(self, sid):
        return self.live.get(sid)


@pytest.fixture
def logins():
    return FakeLogins()


@pytest.fixture
def starting():
    return FakeStart()


@pytest.fixture
def tokens():
    return FakeTokens()


@pytest.fixture
def sessions():
    return FakeSessions({"sid-1": session(app_name="Sketch")})


@pytest.fixture
def app_starts(logins, starting, clock):
    return StartNativeLogin(
        logins=logins, starting=starting, public_url=HOME, clock=clock
    )


@pytest.fixture
def app_waits(logins, sessions, tokens, clock):
    return AwaitNativeLogin(
        logins=logins,
        sessions=sessions,
        tokens=tokens,
        changes=None,
        streams=ConcurrencyLimit("streams", per_key=1, retry_after=30),
        token_lifetime=86_400,
        clock=clock,
    )


@pytest.fixture
def started(app_starts):
    return app_starts.start("alice.test", address=PHONE, app_name="Sketch")


@pytest.fixture
def let_in(logins, started, clock):
    """The login of `started`, confirmed in the browser just now."""
    logins.change(
        fingerprint(started.session_id),
        status="completed",
        sid="sid-1",
        decided_at=clock(),
    )
    return started


# --- the start ------------------------------------------------------------------


def test_the_app_gets_a_link_through_us_and_a_secret_that_is_not_in_it(started):
    assert started.oauth_url == f"{HOME}/auth/native/open?login=link%2Fsecret"
    assert started.session_id not in started.oauth_url
    assert len(started.session_id) == 43
    assert started.expires_in == NATIVE_LOGIN_LIFETIME == 1800


def test_of_the_apps_secret_only_a_hash_is_kept(started, logins):
    [login] = logins.rows.values()

    assert login.login_id == fingerprint(started.session_id)
    assert started.session_id not in repr(login)


def test_the_login_is_begun_for_this_app_alone(started, starting, logins):
    [login_id] = logins.rows

    aim = Destination(identifier="alice.test", native=login_id)
    assert starting.asked == [{"aim": aim, "address": PHONE}]


def test_a_user_code_is_quick_to_compare_and_never_a_word(app_starts):
    codes = {app_starts.start("alice.test", address="").user_code for _ in range(50)}

    assert len(codes) == 50
    for code in codes:
        assert code[4] == "-"
        assert set(code.replace("-", "")) <= set(CODE_ALPHABET)
        assert len(code) == 9


def test_an_app_may_stay_nameless(app_starts, logins):
    app_starts.start("alice.test", address=PHONE)

    assert [login.app_name for login in logins.rows.values()] == ["An app"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 65,
        "two\nlines",
        "turned\u202eround",
        "nul\x00",
        "\u3164 \u2800\u115f",  # a letter, a symbol and a letter, and all are blank
        "\u0301",
        "Sketch" + "\u0320" * 40,  # a tower that would cover the code below
    ],
)
def test_a_name_that_a_page_could_not_show_begins_nothing(app_starts, starting, name):
    with pytest.raises(AppNameInvalid):
        app_starts.start("alice.test", address=PHONE, app_name=name)

    assert starting.asked == []


@pytest.mark.parametrize(
    "name", ["Sketch", "画板", "ที่นี่", "🎨", "Ha Nô\u0323\u0302i", "7"]
)
def test_an_app_is_called_what_its_people_call_it(app_starts, logins, name):
    app_starts.start("alice.test", address=PHONE, app_name=name)

    assert [login.app_name for login in logins.rows.values()] == [name]


@pytest.mark.parametrize("challenge", ["", "short", "x" * 44, "+" * 43, VERIFIER])
def test_a_challenge_that_no_verifier_has_begins_nothing(
    app_starts, starting, challenge
):
    with pytest.raises(CodeChallengeInvalid):
        app_starts.start("alice.test", address=PHONE, code_challenge=challenge)

    assert starting.asked == []


def test_a_login_that_cannot_begin_leaves_nothing(app_starts, starting, logins):
    starting.refusal = TooManyRequests("address", retry_after=3)

    with pytest.raises(TooManyRequests):
        app_starts.start("alice.test", address=PHONE)

    assert logins.rows == {}


# --- the answer -----------------------------------------------------------------


def test_an_undecided_login_is_pending_for_the_rest_of_its_time(
    app_waits, started, clock
):
    clock.advance(30)

    outcome = app_waits.look(started.session_id)

    assert outcome == NativeOutcome(status="pending", expires_in=1770)


def test_an_undecided_login_expires(app_waits, started, clock):
    clock.advance(NATIVE_LOGIN_LIFETIME)

    assert app_waits.look(started.session_id).status == "expired"


def test_an_app_that_was_let_in_gets_a_token_and_whose_it_is(app_waits, let_in):
    outcome = app_waits.look(let_in.session_id)

    assert outcome == NativeOutcome(
        status="completed",
        token="token-1",
        did=user().did,
        handle="alice.test",
        username="alice",
        expires_in=86_400,
    )
    assert "token-1" not in repr(outcome)


def test_the_token_is_minted_when_it_is_delivered(app_waits, let_in, tokens):
    assert tokens.minted == 0

    app_waits.look(let_in.session_id)
    app_waits.look(let_in.session_id)

    assert tokens.minted == 2


def test_an_app_that_was_kept_out_is_told_so(app_waits, logins, started):
    logins.change(fingerprint(started.session_id), status="denied")

    assert app_waits.look(started.session_id) == NativeOutcome(status="denied")


def test_a_token_is_given_out_for_five_minutes(app_waits, let_in, clock):
    clock.advance(DELIVERY_WINDOW - 1)

    assert app_waits.look(let_in.session_id).status == "completed"

    clock.advance(1)

    assert app_waits.look(let_in.session_id).status == "expired"


def test_a_login_confirmed_at_the_last_moment_is_still_delivered(
    app_waits, logins, started, clock
):
    clock.advance(NATIVE_LOGIN_LIFETIME - 1)
    logins.change(
        fingerprint(started.session_id),
        status="completed",
        sid="sid-1",
        decided_at=clock(),
    )
    clock.advance(DELIVERY_WINDOW - 1)

    assert app_waits.look(started.session_id).status == "completed"


def test_nobody_gets_a_token_after_an_acknowledged_delivery(app_waits, let_in, tokens):
    app_waits.acknowledge(let_in.session_id)

    assert app_waits.look(let_in.session_id).status == "expired"
    assert tokens.minted == 0


def test_a_session_that_was_ended_meanwhile_gives_no_token(app_waits, let_in, sessions):
    sessions.live.clear()

    assert app_waits.look(let_in.session_id).status == "expired"


def test_an_account_that_was_shut_meanwhile_gets_no_token(app_waits, let_in, tokens):
    tokens.disabled = True

    with pytest.raises(AccountDisabled):
        app_waits.look(let_in.session_id)


@pytest.mark.parametrize("secret", ["", "unknown", "é"])
def test_who_has_another_secret_learns_nothing(app_waits, let_in, logins, secret):
    with pytest.raises(NativeLoginUnknown):
        app_waits.look(secret)
    with pytest.raises(NativeLoginUnknown):
        app_waits.acknowledge(secret)


def test_the_id_in_the_database_is_no_secret(app_waits, let_in, logins):
    [login_id] = logins.rows

    with pytest.raises(NativeLoginUnknown):
        app_waits.look(login_id)


@pytest.fixture
def bound(app_starts, logins, clock):
    """A login that was begun with a challenge, and confirmed."""
    started = app_starts.start(
        "alice.test", address=PHONE, code_challenge=challenge_of(VERIFIER)
    )
    login_id = fingerprint(started.session_id)
    logins.change(login_id, status="completed", sid="sid-1", decided_at=clock())
    return started


@pytest.mark.parametrize("verifier", [None, "", "another", "é", challenge_of(VERIFIER)])
def test_without_its_verifier_a_stolen_secret_is_worth_nothing(
    app_waits, bound, tokens, verifier
):
    with pytest.raises(VerifierMismatch):
        app_waits.look(bound.session_id, code_verifier=verifier)
    with pytest.raises(VerifierMismatch):
        app_waits.acknowledge(bound.session_id, code_verifier=verifier)

    assert tokens.minted == 0
    outcome = app_waits.look(bound.session_id, code_verifier=VERIFIER)
    assert outcome.status == "completed"


def test_one_address_holds_no_more_streams_than_it_may(app_waits):
    with app_waits.admit(PHONE), pytest.raises(TooManyRequests):
        app_waits.admit(PHONE).__enter__()

    with app_waits.admit(PHONE):
        pass


def test_admit_counts_a_64_of_ipv6_as_one_address(app_waits):
    with app_waits.admit("2001:db8:1:2::1"):
        with pytest.raises(TooManyRequests):
            app_waits.admit("2001:db8:1:2:ffff::9").__enter__()
        with app_waits.admit("2001:db8:1:3::1"):
            pass


def test_admit_in_a_process_that_stops_refuses_no_stream(app_waits):
    """An EventSource that is refused gives up; one whose stream ends comes again."""

    class Changes:
        def wake_all(self):
            pass

    app_waits = replace(app_waits, changes=Changes())
    assert not app_waits.is_ending

    app_waits.end()

    assert app_waits.is_ending
    with app_waits.admit(PHONE):
        pass


def test_a_watch_is_for_the_login_that_the_secret_stands_for(app_waits):
    watched = []

    class Changes:
        def watch(self, login_id, wake):
            watched.append(login_id)
            return nullcontext()

    with replace(app_waits, changes=Changes()).watch("secret", lambda: None):
        assert watched == [fingerprint("secret")]
