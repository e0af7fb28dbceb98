"""Judging the answer to a request: strictly read, bound, from whom (requirements
6.1 to 6.6).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.errors import (
    AccessDenied,
    AuthorizationFailed,
    BrowserMismatch,
    CallbackMalformed,
    IssuerMismatch,
    StateUnknown,
    SubjectMismatch,
)
from tests.atproto.wired import SECRET, Library, bent, token_requests
from tests.fakes.browser import query_of
from tests.fakes.faults import REMOVED
from tests.fakes.world import World

if TYPE_CHECKING:
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"


@pytest.mark.parametrize("name", ["state", "code", "iss"])
def test_a_repeated_parameter_is_refused(
    library: Library, network: FakeNetwork, world: World, name: str
) -> None:
    """Requirement 6.1: which of two would be believed?"""
    world.skyhost.server.lies.callback_repeats = (name,)
    url = library.approved(ALICE)

    with pytest.raises(CallbackMalformed):
        library.finishes(url)
    assert token_requests(network) == 0


def test_a_repeated_error_is_refused(library: Library) -> None:
    """Requirement 6.1."""
    url = library.at_host(library.begins(ALICE)).denies().url

    with pytest.raises(CallbackMalformed):
        library.finishes(url + "&error=server_error")


def test_a_signed_response_is_refused(library: Library, network: FakeNetwork) -> None:
    """Requirement 6.1: JARM is not part of the profile."""
    url = library.approved(ALICE)

    with pytest.raises(CallbackMalformed):
        library.finishes(url + "&response=ey.ey.ey")
    assert token_requests(network) == 0


@pytest.mark.parametrize("changes", [{"code": REMOVED}, {"error": "server_error"}])
def test_exactly_one_of_code_and_error_is_wanted(
    library: Library, network: FakeNetwork, changes: dict[str, object]
) -> None:
    """RFC 6749 §4.1.2."""
    url = library.approved(ALICE)

    with pytest.raises(CallbackMalformed):
        library.finishes(bent(url, **changes))
    assert token_requests(network) == 0


@pytest.mark.parametrize(
    "state", ["", "unknown", "x" * 5_000, REMOVED, "'; --", "\x00"]
)
def test_an_unknown_state_is_refused(
    library: Library, network: FakeNetwork, state: object
) -> None:
    """Requirement 6.2."""
    url = library.approved(ALICE)

    with pytest.raises(StateUnknown):
        library.finishes(bent(url, state=state))
    assert token_requests(network) == 0


def test_a_login_that_waited_an_hour_is_refused(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirements 4.19, 6.2."""
    url = library.approved(ALICE)
    world.clock.advance(3600)

    with pytest.raises(StateUnknown):
        library.finishes(url)
    assert token_requests(network) == 0


def test_callback_with_used_state_raises_state_unknown(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 6.3: the second callback finds nothing, and no code is sent
    again (requirement 6.8).
    """
    url = library.approved(ALICE)
    library.finishes(url)

    with pytest.raises(StateUnknown):
        library.finishes(url)
    assert token_requests(network) == 1


def test_a_failed_callback_consumes_the_state(library: Library) -> None:
    """Requirements 6.3, 6.4: on errors too."""
    url = library.approved(ALICE)
    with pytest.raises(IssuerMismatch):
        library.finishes(bent(url, iss="https://as.evil.social"))

    with pytest.raises(StateUnknown):
        library.finishes(url)


def test_two_concurrent_callbacks_finish_one_login(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 6.3: one token request, however they race."""
    url = library.approved(ALICE)
    outcomes: list[object] = []
    start = threading.Barrier(8)

    def finish() -> None:
        start.wait(30)
        try:
            outcomes.append(library.finishes(url))
        except StateUnknown as error:
            outcomes.append(error)

    threads = [threading.Thread(target=finish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(outcomes) == 8
    assert sum(isinstance(one, StateUnknown) for one in outcomes) == 7
    assert token_requests(network) == 1


# --- the browser ----------------------------------------------------------------------
@pytest.mark.parametrize("held", [(), ("another secret",), ("", "x"), None])
def test_callback_of_another_browser_raises_mismatch_and_keeps_the_request(
    library: Library, network: FakeNetwork, held: Any
) -> None:
    """Requirements 9.12, 6.3: compared before the state is taken, so the right one
    still can.
    """
    url = library.approved(ALICE)

    with pytest.raises(BrowserMismatch):
        library.finishes(url, browser_secrets=held)
    assert token_requests(network) == 0
    assert library.finishes(url).session.did


def test_the_hash_of_the_secret_is_not_the_secret(library: Library) -> None:
    """Requirement 9.12: a reader of the database cannot finish the login."""
    url = library.approved(ALICE)
    kept = library.states.last.browser_secret_hash

    with pytest.raises(BrowserMismatch):
        library.finishes(url, browser_secrets=(str(kept),))


def test_callback_with_one_matching_secret_of_several_finishes(
    library: Library,
) -> None:
    """Requirement 9.12: concurrent flows hold a secret each."""
    url = library.approved(ALICE)

    assert library.finishes(
        url, browser_secrets=("another", SECRET, "third")
    ).session.did


def test_an_unbound_flow_is_not_finished_by_a_browser(library: Library) -> None:
    """Requirement 9.12: a listener's flow and a browser's flow are not
    interchangeable.
    """
    url = library.approved(ALICE, browser_secret=None)

    with pytest.raises(BrowserMismatch):
        library.finishes(url)
    assert library.finishes(url, browser_secrets=None).session.did


# --- who answered ---------------------------------------------------------------------
@pytest.mark.parametrize(
    "iss",
    [REMOVED, "", "https://as.evil.social", f"{ENTRYWAY}/", ENTRYWAY.upper(), "null"],
)
def test_an_answer_of_another_issuer_is_refused(
    library: Library, network: FakeNetwork, world: World, iss: Any
) -> None:
    """Requirements 6.5, 9.16: missing or different; the code goes nowhere."""
    world.skyhost.server.lies.callback_iss = iss
    url = library.approved(ALICE)

    with pytest.raises(IssuerMismatch):
        library.finishes(url)
    assert token_requests(network) == 0


def test_a_mix_up_of_two_servers_is_refused(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 6.5: a dishonest server answers with the state of an honest
    one's flow.
    """
    honest = library.approved(ALICE)
    code = query_of(library.approved("rosies.garden"))["code"]

    with pytest.raises(IssuerMismatch):
        library.finishes(bent(honest, code=code, iss="https://rosies.garden"))
    assert token_requests(network) == 0


def test_callback_error_of_another_issuer_raises_issuer_mismatch(
    library: Library,
) -> None:
    """Requirement 6.6: its content is not looked at."""
    url = library.at_host(library.begins(ALICE)).denies().url

    with pytest.raises(IssuerMismatch):
        library.finishes(bent(url, iss="https://as.evil.social"))


@pytest.mark.parametrize("lie", ["callback_iss", "subject"])
def test_what_was_known_of_an_account_is_looked_up_again_after_a_mismatch(
    library: Library, network: FakeNetwork, world: World, lie: str
) -> None:
    """Requirement 1.29: perhaps it was old; the next login asks everybody."""
    liar = world.rosie.did if lie == "subject" else "https://as.elsewhere.social"
    setattr(world.skyhost.server.lies, lie, liar)
    url = library.approved(ALICE)
    with pytest.raises((IssuerMismatch, SubjectMismatch)):
        library.finishes(url)
    network.forget()

    library.begins(ALICE)

    asked = {one.path for one in network.sent(method="GET")}
    assert {
        f"/{world.alice.did}",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    } <= asked


def test_callback_with_access_denied_raises_access_denied(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 6.4: and it ends the flow."""
    url = library.at_host(library.begins(ALICE, app_state="here")).denies().url

    with pytest.raises(AccessDenied) as caught:
        library.finishes(url)
    assert caught.value.app_state == "here"
    with pytest.raises(StateUnknown):
        library.finishes(url)
    assert token_requests(network) == 0


def test_callback_error_with_unknown_state_raises_state_unknown(
    library: Library,
) -> None:
    """Requirement 6.4: state first, error afterwards."""
    url = library.at_host(library.begins(ALICE)).denies().url

    with pytest.raises(StateUnknown):
        library.finishes(bent(url, state="guessed"))


def test_other_errors_carry_a_harmless_code(library: Library, world: World) -> None:
    """Requirements 6.4, 9.11: cut short, visible ASCII."""
    world.skyhost.server.lies.callback_error = {
        "error": "strange\r\nInjected: header" + "\u202e" * 5_000,
        "description": "<script>alert(1)</script>\x1b[31m" + "x" * 5_000,
    }
    url = library.approved(ALICE)

    with pytest.raises(AuthorizationFailed) as caught:
        library.finishes(url)
    for text in (caught.value.code, caught.value.description, str(caught.value)):
        assert len(text) < 400
        assert text.isascii()
        assert text.isprintable()
