"""Sign-ins at hosts of other makes, behind firewalls, with files written by hand."""

from __future__ import annotations

import json

import pytest

from tests.fakes import faults
from tests.fakes.browser import AtHost
from tests.fakes.faults import Says
from tests.fakes.refusal import Refusal
from tests.journeys.calling import GET_SESSION, opened

ALICE = "alice.skyhost.social"
PAR = "https://as.skyhost.social/oauth/par"
BOM = b"\xef\xbb\xbf"
CHALLENGE_PAGE = b"<!doctype html><title>Just a moment...</title>"
PLACES = {
    "resource": "https://pds.skyhost.social/.well-known/oauth-protected-resource",
    "server": "https://as.skyhost.social/.well-known/oauth-authorization-server",
    "PAR": PAR,
}


# --- servers without DPoP nonces (requirement 5.9) ------------------------------------


def stops_asking(server) -> None:
    """Let a server accept any nonce, or none."""
    server.proofs.nonces.accepts = lambda _nonce: True


def test_login_at_host_without_nonces_signs_in(browser, world):
    """Proofs are verified in all else; no answer of the server has a nonce."""
    stops_asking(world.skyhost.server)
    world.skyhost.server.lies.forgets_nonce = True

    browser.signs_in(ALICE, username="alice")

    assert browser.is_signed_in()


def test_login_at_host_with_nonces_at_token_endpoint_only_signs_in(
    browser, world, network
):
    stops_asking(world.skyhost.server)
    network.lay(PAR, faults.ChangesHeader("DPoP-Nonce"))

    browser.signs_in(ALICE, username="alice")

    assert browser.is_signed_in()


def test_login_at_host_with_nonces_in_challenges_only_signs_in(browser, network):
    """The nonce of the challenge is still good: nothing says that it has ended."""

    class ForgetsOnSuccess(faults.Fault):
        def after(self, answer, sent, timeout):
            if answer.status >= 400:
                return answer
            return faults.ChangesHeader("DPoP-Nonce").after(answer, sent, timeout)

    network.lay(PAR, ForgetsOnSuccess())

    browser.signs_in(ALICE, username="alice")

    assert browser.is_signed_in()


# --- firewalls ------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [401, 403])
def test_login_with_challenge_page_of_a_firewall_returns_host_unreachable(
    service, network, place, status
):
    headers = {"Content-Type": "text/html; charset=UTF-8", "Cf-Mitigated": "challenge"}
    network.lay(PLACES[place], Says(status, CHALLENGE_PAGE, headers))

    page = service.browser().opens_login().tries(ALICE)

    assert page.error == "host_unreachable"


# --- byte order marks -----------------------------------------------------------------


def test_login_with_byte_order_mark_in_atproto_did_reaches_the_host(
    service, world, network
):
    text = BOM + world.alice.did.encode() + b"\r\n"
    url = f"https://{ALICE}/.well-known/atproto-did"
    network.lay(url, Says(200, text, {"Content-Type": "text/plain"}))

    assert isinstance(service.browser().opens_login().tries(ALICE), AtHost)


def test_login_with_byte_order_mark_in_did_document_reaches_the_host(
    service, world, network
):
    world.settle("hand.cafe", world.skyhost, did="did:web:hand.cafe")
    document = BOM + json.dumps(world.homes["hand.cafe"].document).encode()
    url = "https://hand.cafe/.well-known/did.json"
    network.lay(url, Says(200, document, {"Content-Type": "application/json"}))

    assert isinstance(service.browser().opens_login().tries("hand.cafe"), AtHost)


@pytest.mark.parametrize("place", ["resource", "server"])
def test_login_with_byte_order_mark_in_metadata_reaches_the_host(
    service, network, place
):
    class Marks(faults.Fault):
        def after(self, answer, sent, timeout):
            headers = answer.headers.copy()
            headers.remove("Content-Length")
            return type(answer)(answer.status, headers, BOM + answer.body)

    network.lay(PLACES[place], Marks())

    assert isinstance(service.browser().opens_login().tries(ALICE), AtHost)


# --- grants that ended, said in other words (requirement 7.17) ------------------------


@pytest.mark.parametrize(
    "words", ["Refresh token expired", "Session expired", "invalid_request"]
)
def test_call_with_grant_refused_in_own_words_returns_reconnect(open_service, words):
    caller = opened(open_service)
    server = caller.world.skyhost.server
    server.grants.all[0].alive = False  # ended by the person, at the host
    server.lies.refuses["/oauth/token"] = Refusal(words, "no such session")
    server.grants.of_refresh_token = _refuses(words)

    answers = [caller.gets(GET_SESSION) for _ in range(3)]

    last = answers[-1]
    assert (last.status, last.json()["error"]) == (401, "reconnect")
    assert "login_url" in last.json()


@pytest.mark.parametrize("words", ["invalid_client", "invalid_client_metadata"])
def test_call_with_client_refused_ends_no_session(open_service, words):
    """Our keys may be out of order for a while."""
    caller = opened(open_service)
    server = caller.world.skyhost.server
    caller.world.clock.advance(2 * server.token_lifetime)
    server.lies.refuses["/oauth/token"] = Refusal(words, "who are you?", 401)
    of_refresh_token = server.grants.of_refresh_token
    server.grants.of_refresh_token = _refuses(words)
    for _ in range(3):
        assert caller.gets(GET_SESSION).status == 502
    server.lies.refuses.clear()
    server.grants.of_refresh_token = of_refresh_token

    assert caller.gets(GET_SESSION).status in {200, 401}
    assert server.grants.all[0].alive


def _refuses(words):
    def refuse(_token):
        raise Refusal(words, "no such session")

    return refuse


# --- a host's own name as identifier --------------------------------------------------


def test_login_with_name_of_a_did_web_host_offers_to_start_at_that_server(
    service, world
):
    """The host has an identity of its own, which claims no handle."""
    world.settle("pds.cafe", world.skyhost, did="did:web:pds.cafe")
    world.homes["pds.cafe"].document["alsoKnownAs"] = []

    page = service.browser().opens_login().tries("pds.cafe")

    assert page.error == "handle_mismatch"
    assert page.form_with("identifier").fields["identifier"] == "https://pds.cafe"
