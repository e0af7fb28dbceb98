"""Judging the answer: section 6, and revocation (7.19), against servers that lie.

After every refusal the same must hold: no session, and no token of it alive anywhere.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from app.atproto.errors import (
    AccessDenied,
    AuthorizationFailed,
    BrowserMismatch,
    CallbackMalformed,
    ClientMetadataInvalid,
    ClientRefused,
    CodeRejected,
    HostFailing,
    HostUnreachable,
    HostWithoutOAuth,
    IssuerMismatch,
    KeyUnavailable,
    ResponseTooLarge,
    ServerInvalid,
    StateUnknown,
    SubjectMismatch,
)
from app.atproto.keys import SigningKey
from tests.atproto.wired import CALLBACK, SECRET, Library
from tests.fakes import faults
from tests.fakes.browser import query_of
from tests.fakes.faults import REMOVED
from tests.fakes.refusal import Refusal
from tests.fakes.world import World, plc_did

if TYPE_CHECKING:
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
TOKEN = f"{ENTRYWAY}/oauth/token"
REVOKE = f"{ENTRYWAY}/oauth/revoke"


@pytest.fixture
def library(world: World) -> Library:
    return Library(world)


def token_requests(network: FakeNetwork) -> int:
    return len(network.sent(path="/oauth/token"))


def nothing_lives(library: Library) -> bool:
    """No session here, and no grant alive at any host."""
    grants = [g for s in library.world.servers.values() for g in s.grants.all]
    kept = library.sessions._sessions
    return not kept and not any(grant.alive for grant in grants)


def bent(url: str, **changes: object) -> str:
    """Return a callback URL with other parameters, or without (`REMOVED`)."""
    query = {**query_of(url), **changes}
    wanted = {name: value for name, value in query.items() if value is not REMOVED}
    return f"{CALLBACK}?{urlencode(wanted)}"


# --- the way it should go -------------------------------------------------------------


def test_a_login_makes_a_session(library: Library, world: World) -> None:
    """6.7, 6.10, 6.17: what was granted, and what it is bound to."""
    session = library.logs_in(ALICE, app_state="to the garden")

    assert session.did == world.alice.did
    assert session.handle == ALICE
    assert session.issuer == ENTRYWAY
    assert session.pds == "https://pds.skyhost.social"
    assert session.scope == "atproto"
    assert session.client_kid == library.keys[0].kid
    assert session.client_thumbprint == library.keys[0].thumbprint
    assert session.expires_at == world.clock() + 3600
    assert library.sessions.get(session.did, session.session_id) == session


def test_a_warm_callback_costs_one_request(
    library: Library, network: FakeNetwork
) -> None:
    """6.9, 6.14: the evidence of the login's start is minutes old; it serves."""
    url = library.approved(ALICE)
    network.forget()

    library.finishes(url)

    assert [one.path for one in network.sent()] == ["/oauth/token"]


def test_the_exchange_repeats_what_was_pushed(
    library: Library, network: FakeNetwork
) -> None:
    """6.7: golden body; same kid, same DPoP key as PAR."""
    library.logs_in(ALICE)

    push, exchange = (
        network.sent(path="/oauth/par")[-1],
        network.sent(path="/oauth/token")[0],
    )
    assert set(exchange.form) == {
        "grant_type",
        "code",
        "redirect_uri",
        "code_verifier",
        "client_id",
        "client_assertion_type",
        "client_assertion",
    }
    assert exchange.form["grant_type"] == "authorization_code"
    assert exchange.form["redirect_uri"] == push.form["redirect_uri"]
    assert exchange.proof_header["jwk"] == push.proof_header["jwk"]


def test_a_login_that_could_not_come_back_is_not_begun(
    library: Library, network: FakeNetwork
) -> None:
    """3.16: the host would refuse it, later and in its own words."""
    with pytest.raises(ClientMetadataInvalid, match="not declared"):
        library.begins(ALICE, redirect_uri=f"{CALLBACK}/elsewhere")

    assert not network.sent()


def test_what_the_application_left_comes_back(library: Library) -> None:
    """`app_state` is carried and never understood."""
    url = library.approved(ALICE, app_state="a place")

    assert library.finishes(url).app_state == "a place"


def test_no_token_shows_in_the_repr_of_a_session(library: Library) -> None:
    """9.22: nor a key, nor a nonce."""
    session = library.logs_in(ALICE)

    for secret in (session.access_token, session.refresh_token, session.as_nonce):
        assert str(secret) not in repr(session)


def test_two_devices_of_one_person_are_two_sessions(
    library: Library, world: World
) -> None:
    """6.19: keyed by DID and session id; the second does not end the first."""
    first, second = library.logs_in(ALICE), library.logs_in(ALICE)

    assert first.session_id != second.session_id
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 2


def test_a_did_whose_handle_is_dead_signs_in(library: Library, world: World) -> None:
    """1.22: a missing handle does not stop a start from the DID."""
    world.home(ALICE).did = None

    session = library.logs_in(world.alice.did, account=ALICE)

    assert session.did == world.alice.did
    assert session.handle is None


def test_a_did_web_signs_in(library: Library, world: World) -> None:
    """1.10: the other method."""
    did = "did:web:carol.coffee"
    carol = world.settle("carol.coffee", world.skyhost, did=did)

    assert library.logs_in("carol.coffee").did == carol.did


# --- reading the callback strictly ----------------------------------------------------


@pytest.mark.parametrize("name", ["state", "code", "iss"])
def test_a_repeated_parameter_is_refused(
    library: Library, network: FakeNetwork, world: World, name: str
) -> None:
    """6.1: which of two would be believed?"""
    world.skyhost.server.lies.callback_repeats = (name,)
    url = library.approved(ALICE)

    with pytest.raises(CallbackMalformed):
        library.finishes(url)
    assert token_requests(network) == 0


def test_a_repeated_error_is_refused(library: Library) -> None:
    """6.1."""
    url = library.at_host(library.begins(ALICE)).denies().url

    with pytest.raises(CallbackMalformed):
        library.finishes(url + "&error=server_error")


def test_a_signed_response_is_refused(library: Library, network: FakeNetwork) -> None:
    """6.1: JARM is not part of the profile."""
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
    """6.2."""
    url = library.approved(ALICE)

    with pytest.raises(StateUnknown):
        library.finishes(bent(url, state=state))
    assert token_requests(network) == 0


def test_a_login_that_waited_an_hour_is_refused(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """4.19, 6.2."""
    url = library.approved(ALICE)
    world.clock.advance(3600)

    with pytest.raises(StateUnknown):
        library.finishes(url)
    assert token_requests(network) == 0


def test_a_state_serves_once(library: Library, network: FakeNetwork) -> None:
    """6.3: the second callback finds nothing, and no code is sent again (6.8)."""
    url = library.approved(ALICE)
    library.finishes(url)

    with pytest.raises(StateUnknown):
        library.finishes(url)
    assert token_requests(network) == 1


def test_a_failed_callback_consumes_the_state(library: Library) -> None:
    """6.3, 6.4: on errors too."""
    url = library.approved(ALICE)
    with pytest.raises(IssuerMismatch):
        library.finishes(bent(url, iss="https://as.evil.social"))

    with pytest.raises(StateUnknown):
        library.finishes(url)


def test_of_two_callbacks_at_once_one_goes_on(
    library: Library, network: FakeNetwork
) -> None:
    """6.3: one token request, however they race."""
    url = library.approved(ALICE)
    outcomes: list[object] = []
    start = threading.Barrier(8)

    def finish() -> None:
        start.wait(5)
        try:
            outcomes.append(library.finishes(url))
        except StateUnknown as error:
            outcomes.append(error)

    threads = [threading.Thread(target=finish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(outcomes) == 8
    assert sum(isinstance(one, StateUnknown) for one in outcomes) == 7
    assert token_requests(network) == 1


# --- the browser ----------------------------------------------------------------------


@pytest.mark.parametrize("held", [(), ("another secret",), ("", "x"), None])
def test_another_browser_is_refused_and_burns_nothing(
    library: Library, network: FakeNetwork, held: Any
) -> None:
    """9.12, 6.3: compared before the state is taken, so the right one still can."""
    url = library.approved(ALICE)

    with pytest.raises(BrowserMismatch):
        library.finishes(url, bindings=held)
    assert token_requests(network) == 0
    assert library.finishes(url).session.did


def test_the_hash_of_the_secret_is_not_the_secret(library: Library) -> None:
    """9.12: somebody who reads the database cannot finish the login."""
    url = library.approved(ALICE)
    kept = library.states.last.binding

    with pytest.raises(BrowserMismatch):
        library.finishes(url, bindings=(str(kept),))


def test_one_of_several_tabs_is_enough(library: Library) -> None:
    """9.12: concurrent flows hold a secret each."""
    url = library.approved(ALICE)

    assert library.finishes(url, bindings=("another", SECRET, "third")).session.did


def test_an_unbound_flow_is_not_finished_by_a_browser(library: Library) -> None:
    """9.12: a listener's flow and a browser's flow are not interchangeable."""
    url = library.approved(ALICE, binding=None)

    with pytest.raises(BrowserMismatch):
        library.finishes(url)
    assert library.finishes(url, bindings=None).session.did


# --- who answered ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "iss",
    [REMOVED, "", "https://as.evil.social", f"{ENTRYWAY}/", ENTRYWAY.upper(), "null"],
)
def test_an_answer_of_another_issuer_is_refused(
    library: Library, network: FakeNetwork, world: World, iss: Any
) -> None:
    """6.5, 9.16: missing or different; the code goes nowhere."""
    world.skyhost.server.lies.callback_iss = iss
    url = library.approved(ALICE)

    with pytest.raises(IssuerMismatch):
        library.finishes(url)
    assert token_requests(network) == 0


def test_a_mix_up_of_two_servers_is_refused(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """6.5: a dishonest server answers with the state of an honest one's flow."""
    honest = library.approved(ALICE)
    code = query_of(library.approved("rosies.garden"))["code"]

    with pytest.raises(IssuerMismatch):
        library.finishes(bent(honest, code=code, iss="https://rosies.garden"))
    assert token_requests(network) == 0


def test_an_error_of_another_issuer_is_an_attack(library: Library) -> None:
    """6.6: its content is not looked at."""
    url = library.at_host(library.begins(ALICE)).denies().url

    with pytest.raises(IssuerMismatch):
        library.finishes(bent(url, iss="https://as.evil.social"))


@pytest.mark.parametrize("lie", ["callback_iss", "subject"])
def test_what_was_known_of_an_account_is_looked_up_again_after_a_mismatch(
    library: Library, network: FakeNetwork, world: World, lie: str
) -> None:
    """1.29: perhaps it was old; the next login asks everybody."""
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


def test_a_denial_is_a_denial(library: Library, network: FakeNetwork) -> None:
    """6.4: and it ends the flow."""
    url = library.at_host(library.begins(ALICE, app_state="here")).denies().url

    with pytest.raises(AccessDenied) as caught:
        library.finishes(url)
    assert caught.value.app_state == "here"
    with pytest.raises(StateUnknown):
        library.finishes(url)
    assert token_requests(network) == 0


def test_an_error_without_a_valid_state_tells_nothing(library: Library) -> None:
    """6.4: state first, error afterwards."""
    url = library.at_host(library.begins(ALICE)).denies().url

    with pytest.raises(StateUnknown):
        library.finishes(bent(url, state="guessed"))


def test_other_errors_carry_a_harmless_code(library: Library, world: World) -> None:
    """6.4, 9.11: cut short, visible ASCII."""
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


# --- who signed in --------------------------------------------------------------------


def test_another_account_than_the_named_one_is_refused(
    library: Library, world: World
) -> None:
    """6.11, 6.15: picked on the consent page; its tokens are revoked."""
    url = library.approved(ALICE, account=BOB)

    with pytest.raises(SubjectMismatch):
        library.finishes(url)
    assert nothing_lives(library)


def test_a_lying_subject_is_refused(library: Library, world: World) -> None:
    """6.11: whoever signed in, the server says somebody else did."""
    world.skyhost.server.lies.subject = world.rosie.did
    url = library.approved(ALICE)

    with pytest.raises(SubjectMismatch):
        library.finishes(url)
    assert nothing_lives(library)


def test_a_rogue_server_cannot_claim_a_strangers_account(
    library: Library, world: World
) -> None:
    """6.12: a server start names nobody, so the account's own PDS has the word."""
    rogue = world.add_host("rogue.social")
    world.settle("mallory.rogue.social", rogue)
    rogue.server.lies.subject = world.alice.did
    url = library.approved("https://rogue.social", account="mallory.rogue.social")

    with pytest.raises(IssuerMismatch):
        library.finishes(url)
    assert nothing_lives(library)


def test_a_server_start_is_proved_without_caches(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """6.12, 6.14: document, resource and metadata are fetched anew."""
    library.begins(ALICE)
    url = library.approved("https://as.skyhost.social", account=ALICE)
    network.forget()

    assert library.finishes(url).session.did == world.alice.did
    asked = {one.path for one in network.sent(method="GET")}
    assert {
        f"/{world.alice.did}",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    } <= asked


def test_a_server_start_of_an_account_that_has_moved_is_refused(
    library: Library, world: World
) -> None:
    """6.12, 6.14: the cache still says that this server speaks for it."""
    library.begins(ALICE)
    url = library.approved("https://as.skyhost.social", account=ALICE)
    world.moves(world.alice, world.garden)

    with pytest.raises(IssuerMismatch):
        library.finishes(url)
    assert nothing_lives(library)


def test_an_account_that_moved_while_its_login_waited_is_refused(
    library: Library, world: World
) -> None:
    """6.13: evidence older than ten minutes is looked for again, without caches."""
    authorization = library.begins(ALICE)
    page = library.at_host(authorization)
    world.clock.advance(601)
    library.begins(ALICE)
    world.moves(world.alice, world.garden)

    with pytest.raises(IssuerMismatch):
        library.finishes(page.approves().url)
    assert nothing_lives(library)


def test_old_evidence_that_still_holds_signs_in(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """6.13: and the session follows the account to another PDS of the same issuer."""
    page = library.at_host(library.begins(ALICE))
    world.clock.advance(601)
    second = world.add_host("second.skyhost.social", server="as2.skyhost.social")
    second.pds.server = world.skyhost.server
    world.moves(world.alice, second)

    session = library.finishes(page.approves().url).session

    assert session.pds == "https://pds.second.skyhost.social"
    assert session.verified_at == world.clock()


def test_a_directory_that_is_down_is_no_proof_of_absence(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """1.24, 6.15: the person is told to try later; nothing stays behind."""
    url = library.approved("https://as.skyhost.social", account=ALICE)
    network.lay(f"https://plc.directory/{world.alice.did}", faults.bad_gateway())

    with pytest.raises(HostUnreachable):
        library.finishes(url)
    assert nothing_lives(library)


def test_a_pds_that_lost_its_resource_document_is_no_proof(
    library: Library, network: FakeNetwork
) -> None:
    """6.12: no document, no evidence."""
    url = library.approved("https://as.skyhost.social", account=ALICE)
    resource = "https://pds.skyhost.social/.well-known/oauth-protected-resource"
    network.lay(resource, faults.missing())

    with pytest.raises(HostWithoutOAuth):
        library.finishes(url)
    assert nothing_lives(library)


# --- what was granted -----------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"sub": REMOVED},
        {"sub": "alice.skyhost.social"},
        {"sub": "did:key:z6Mk"},
        {"sub": "did:plc:SHOUTING"},
        {"sub": ["did:plc:x"]},
        {"access_token": REMOVED},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "two words"},
        {"access_token": "line\nbreak"},
        {"token_type": REMOVED},
        {"token_type": "Bearer"},
        {"token_type": ""},
        {"scope": REMOVED},
        {"scope": ""},
        {"scope": "transition:generic"},
        {"scope": "atproto:read"},
        {"scope": "notatproto"},
        {"scope": ["atproto"]},
        {"expires_in": "soon"},
        {"refresh_token": 7},
    ],
    ids=str,
)
def test_an_answer_that_lacks_something_is_refused(
    library: Library, network: FakeNetwork, fields: dict[str, object]
) -> None:
    """6.10, 6.15: each field; and what came is revoked as far as it is known."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.ChangesJSON(fields))

    with pytest.raises(ServerInvalid):
        library.finishes(url)
    assert nothing_lives(library)


def test_an_id_token_is_no_identity(library: Library, network: FakeNetwork) -> None:
    """6.10: only `sub` is."""
    url = library.approved(ALICE)
    fault = faults.ChangesJSON({"sub": REMOVED, "id_token": "ey.ey.ey"})
    network.lay(TOKEN, fault)

    with pytest.raises(ServerInvalid):
        library.finishes(url)


@pytest.mark.parametrize("kind", ["DPoP", "dpop", "DPOP"])
def test_the_token_type_is_compared_without_case(
    library: Library, network: FakeNetwork, kind: str
) -> None:
    """6.10."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.ChangesJSON({"token_type": kind}))

    assert library.finishes(url).session.did


def test_less_than_was_asked_is_what_counts(library: Library, world: World) -> None:
    """6.16, 8.8: a narrower grant signs in; the session says what it may."""
    world.skyhost.server.lies.granted_scope = "atproto"

    session = library.logs_in(ALICE, scope="atproto transition:generic")

    assert session.scope == "atproto"


def test_an_expanded_permission_set_is_taken_as_granted(
    library: Library, world: World
) -> None:
    """8.9: `include:` comes back as what it stands for."""
    granted = "atproto repo:social.skyhost.note rpc?lxm=a.b.c&aud=*"
    world.skyhost.server.lies.granted_scope = granted

    assert library.logs_in(ALICE).scope == granted


@pytest.mark.parametrize("lifetime", [30, 3600])
def test_any_lifetime_is_taken(library: Library, world: World, lifetime: int) -> None:
    """7.2: not hard-coded."""
    world.skyhost.server.token_lifetime = lifetime

    assert library.logs_in(ALICE).expires_at == world.clock() + lifetime


def test_a_server_that_says_no_lifetime(library: Library, network: FakeNetwork) -> None:
    """7.1: then 401s will tell."""
    network.lay(TOKEN, faults.ChangesJSON({"expires_in": REMOVED}))

    assert library.logs_in(ALICE).expires_at is None


def test_a_session_without_refresh_token(
    library: Library, network: FakeNetwork
) -> None:
    """7.5: it lives until its access token ends."""
    network.lay(TOKEN, faults.ChangesJSON({"refresh_token": REMOVED}))

    assert library.logs_in(ALICE).refresh_token is None


# --- the exchange, once ---------------------------------------------------------------


def test_a_lost_answer_is_not_asked_for_again(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """6.8: the code may have been used; sending it again would end the session."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.DropsAnswer())

    with pytest.raises(HostUnreachable) as caught:
        library.finishes(url)
    assert caught.value.sent
    assert token_requests(network) == 1


def test_a_slow_answer_is_not_asked_for_again(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """6.8: nor is one that came too late."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.Waits(world.clock, 60))
    began = world.clock.monotonic()

    with pytest.raises(HostUnreachable):
        library.finishes(url)
    assert token_requests(network) == 1
    assert world.clock.monotonic() - began <= 12


def test_an_unsent_code_is_sent_once_more(
    library: Library, network: FakeNetwork
) -> None:
    """6.8: when the connection was never made, the code is as good as before."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.Refuses(), times=1)

    assert library.finishes(url).session.did
    assert token_requests(network) == 2


def test_a_server_that_stays_away_ends_the_login(
    library: Library, network: FakeNetwork
) -> None:
    """6.8: one more try, not many."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.Refuses())

    with pytest.raises(HostUnreachable):
        library.finishes(url)
    assert token_requests(network) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.bad_gateway(), HostFailing),
        (faults.too_many(), HostFailing),
        (faults.a_page(), ServerInvalid),
        (faults.redirect("https://evil.social/token", 307), ServerInvalid),
        (faults.Swells(100_000), ResponseTooLarge),
        (faults.Says(200, b"[]", {"Content-Type": "application/json"}), ServerInvalid),
        (faults.Says(201, b"{}", {"Content-Type": "application/json"}), ServerInvalid),
    ],
    ids=str,
)
def test_a_broken_answer_ends_the_login(
    library: Library, network: FakeNetwork, fault: Any, error: type[Exception]
) -> None:
    """6.8, 9.5: read as what it is, and never repeated."""
    url = library.approved(ALICE)
    network.lay(TOKEN, fault)

    with pytest.raises(error):
        library.finishes(url)
    assert token_requests(network) == 1
    assert network.sent(host="evil.social") == []


def test_a_refused_code_means_begin_again(library: Library, world: World) -> None:
    """Section 10: `invalid_grant`."""
    url = library.approved(ALICE)

    with pytest.raises(CodeRejected):
        library.finishes(bent(url, code="cod-of-somebody-else"))


def test_a_code_of_another_login_is_refused(library: Library) -> None:
    """4.4: PKCE ties the code to the verifier of its own flow (injection)."""
    stolen = query_of(library.approved(ALICE))["code"]
    url = library.approved(ALICE)

    with pytest.raises(CodeRejected):
        library.finishes(bent(url, code=stolen))
    assert nothing_lives(library)


def test_a_refused_client_is_told_apart(library: Library, world: World) -> None:
    """Section 10: our metadata may be at fault; worth an alert."""
    url = library.approved(ALICE)
    refusal = Refusal("invalid_client", "no applicable key")
    world.skyhost.server.lies.refuses["/oauth/token"] = refusal

    with pytest.raises(ClientRefused):
        library.finishes(url)


def test_the_code_goes_to_the_server_of_the_start(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """6.7, 9.16: the token endpoint is the stored one, not what metadata says now."""
    url = library.approved(ALICE)
    world.skyhost.server.lies.metadata["token_endpoint"] = "https://evil.social/token"

    library.finishes(url)

    assert token_requests(network) == 1
    assert network.sent(host="evil.social") == []


# --- keys -----------------------------------------------------------------------------


def test_a_flow_keeps_its_client_key_when_a_newer_one_comes(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """3.18, 7.3: PAR and exchange are signed by the same key."""
    url = library.approved(ALICE)
    old = library.keys[0]
    library.keys.insert(0, SigningKey.generate("ES256"))
    world.skyhost.server.clients.forget()

    session = library.finishes(url).session

    assert session.client_kid == old.kid
    library.client.revoke(session.did, session.session_id, deadline=library.deadline())
    assert nothing_lives(library)


def test_a_flow_whose_client_key_is_gone_sends_nothing(
    library: Library, network: FakeNetwork
) -> None:
    """7.4: another key would end the session at the host."""
    url = library.approved(ALICE)
    library.keys[:] = [SigningKey.generate("ES256")]

    with pytest.raises(KeyUnavailable):
        library.finishes(url)
    assert token_requests(network) == 0


def test_a_kid_that_names_another_key_now_is_gone(
    library: Library, network: FakeNetwork
) -> None:
    """7.3: kid, algorithm and thumbprint are all compared by the server."""
    session = library.logs_in(ALICE)
    kid = library.keys[0].kid
    library.keys[:] = [SigningKey.generate("ES256", kid=kid)]
    network.forget()

    library.client.revoke(session.did, session.session_id, deadline=library.deadline())

    assert network.sent(path="/oauth/revoke") == []


# --- failures of our own --------------------------------------------------------------


def test_tokens_that_cannot_be_stored_are_revoked(
    library: Library, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6.15: no grant stays alive that nobody holds."""
    url = library.approved(ALICE)

    def fails(_session: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(library.sessions, "put", fails)

    with pytest.raises(OSError, match="disk full"):
        library.finishes(url)
    assert nothing_lives(library)


def test_a_refusal_survives_a_host_that_cannot_be_reached(
    library: Library, network: FakeNetwork
) -> None:
    """6.15: best effort; the reason that counts is the first."""
    url = library.approved(ALICE, account=BOB)
    network.lay(REVOKE, faults.Refuses())

    with pytest.raises(SubjectMismatch):
        library.finishes(url)


def test_a_host_without_revocation_is_let_be(library: Library, world: World) -> None:
    """7.19: no endpoint, nothing to ask."""
    world.skyhost.server.lies.metadata["revocation_endpoint"] = REMOVED
    url = library.approved(ALICE, account=BOB)

    with pytest.raises(SubjectMismatch):
        library.finishes(url)


# --- revocation (7.19) ----------------------------------------------------------------


def test_a_revoked_session_is_over_here_and_there(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """7.19: both tokens, each with proof and authentication."""
    session = library.logs_in(ALICE)
    world.clock.advance(400)

    library.client.revoke(session.did, session.session_id, deadline=library.deadline())

    assert nothing_lives(library)
    hints = {s.form["token_type_hint"] for s in network.sent(path="/oauth/revoke")}
    assert hints == {"refresh_token", "access_token"}


@pytest.mark.parametrize(
    "fault",
    [
        faults.Refuses(),
        faults.DropsAnswer(),
        faults.bad_gateway(),
        faults.too_many(),
        faults.Says(204),
        faults.a_page(404),
    ],
    ids=str,
)
def test_a_session_ends_here_whatever_the_host_says(
    library: Library, network: FakeNetwork, fault: Any
) -> None:
    """7.19: local logout does not depend on anybody."""
    session = library.logs_in(ALICE)
    network.lay(REVOKE, fault)

    library.client.revoke(session.did, session.session_id, deadline=library.deadline())

    assert library.sessions.get(session.did, session.session_id) is None


def test_a_session_without_revocation_endpoint_ends_here(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """7.19: just delete."""
    world.skyhost.server.lies.metadata["revocation_endpoint"] = REMOVED
    session = library.logs_in(ALICE)

    library.client.revoke(session.did, session.session_id, deadline=library.deadline())

    assert library.sessions.get(session.did, session.session_id) is None
    assert network.sent(path="/oauth/revoke") == []


def test_one_device_signs_out_and_the_other_stays(
    library: Library, world: World
) -> None:
    """6.19."""
    here, there = library.logs_in(ALICE), library.logs_in(ALICE)

    library.client.revoke(here.did, here.session_id, deadline=library.deadline())

    assert library.sessions.get(there.did, there.session_id)
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1


def test_revoking_what_is_not_there_does_nothing(
    library: Library, network: FakeNetwork
) -> None:
    """Ending twice is no error."""
    did: Any = plc_did("nobody")

    library.client.revoke(did, "unknown", deadline=library.deadline())

    assert network.sent() == []


def test_sessions_are_records(library: Library) -> None:
    """Frozen: a session changes by being replaced."""
    session = library.logs_in(ALICE)

    assert replace(session, scope="atproto x") != session
