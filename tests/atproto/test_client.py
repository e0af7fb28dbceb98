"""A login of the library from start to end, and its end (sections 6 and 7.19)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.atproto.client import Revocation
from app.atproto.errors import BrowserMismatch, ClientMetadataInvalid, ServerInvalid
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.syntax.identifier import parse_identifier
from tests.atproto.wired import CALLBACK, SECRET, Library
from tests.fakes import faults
from tests.fakes.faults import REMOVED
from tests.fakes.world import World, plc_did

if TYPE_CHECKING:
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
REVOKE = f"{ENTRYWAY}/oauth/revoke"


def test_a_login_makes_a_session(library: Library, world: World) -> None:
    """Requirements 6.7, 6.10, 6.17: what was granted, and what it is bound to."""
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
    """Requirements 6.9, 6.14: the verification of the start, minutes old, serves."""
    url = library.approved(ALICE)
    network.forget()

    library.finishes(url)

    assert [one.path for one in network.sent()] == ["/oauth/token"]


def test_the_exchange_repeats_what_was_pushed(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 6.7: golden body; same kid, same DPoP key as PAR."""
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


def test_login_with_undeclared_redirect_uri_is_not_begun(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 3.16: the host would refuse it, later and in its own words."""
    with pytest.raises(ClientMetadataInvalid, match="not declared"):
        library.begins(ALICE, redirect_uri=f"{CALLBACK}/elsewhere")

    assert not network.sent()


def test_callback_returns_the_app_state(library: Library) -> None:
    """`app_state` is carried and never understood."""
    url = library.approved(ALICE, app_state="a place")

    assert library.finishes(url).app_state == "a place"


def test_no_token_shows_in_the_repr_of_a_session(library: Library) -> None:
    """Requirement 9.22: nor a key, nor a nonce."""
    session = library.logs_in(ALICE)

    for secret in (session.access_token, session.refresh_token, session.as_nonce):
        assert str(secret) not in repr(session)


def test_two_devices_of_one_person_are_two_sessions(
    library: Library, world: World
) -> None:
    """Requirement 6.19: keyed by DID and session id; the second does not end the
    first.
    """
    first, second = library.logs_in(ALICE), library.logs_in(ALICE)

    assert first.session_id != second.session_id
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 2


def test_a_did_whose_handle_is_dead_signs_in(library: Library, world: World) -> None:
    """Requirement 1.22: a missing handle does not stop a start from the DID."""
    world.home(ALICE).did = None

    session = library.logs_in(world.alice.did, account=ALICE)

    assert session.did == world.alice.did
    assert session.handle is None


def test_a_did_web_signs_in(library: Library, world: World) -> None:
    """Requirement 1.10: the other method."""
    did = "did:web:carol.coffee"
    carol = world.settle("carol.coffee", world.skyhost, did=did)

    assert library.logs_in("carol.coffee").did == carol.did


@pytest.mark.parametrize("start", ["lab.test", "https://pds.skyhost.social"])
def test_login_to_did_web_of_a_test_network_returns_session(
    world: World, start: str
) -> None:
    """Requirement 2.14: a `.test` name is public in a laboratory, at the callback
    too.
    """
    library = Library(world, policy=NetworkPolicy(allow_test_names=True))
    world.settle("lab.test", world.skyhost, did="did:web:lab.test")
    identifier = parse_identifier(start, allow_test=True)
    authorization = library.client.authorize(
        identifier,
        scope="atproto",
        redirect_uri=library.redirect_uri,
        deadline=library.deadline(),
        browser_secret=SECRET,
    )

    url = library.at_host(authorization).approves("lab.test").url

    assert library.finishes(url).session.did == "did:web:lab.test"


def test_subject_with_test_name_is_refused_outside_a_test_network(
    library: Library, world: World
) -> None:
    world.skyhost.server.lies.subject = "did:web:lab.test"
    url = library.approved("https://pds.skyhost.social", account=ALICE)

    with pytest.raises(ServerInvalid):
        library.finishes(url)
    assert library.nothing_lives()


# --- revocation (requirement 7.19) ----------------------------------------------------
def test_revoke_ends_the_session_here_and_at_its_host(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 7.19: both tokens, each with proof and authentication."""
    session = library.logs_in(ALICE)
    world.clock.advance(400)

    revocation = library.client.revoke(
        session.did, session.session_id, deadline=library.deadline()
    )

    assert revocation == Revocation(issuer=ENTRYWAY, is_asked=True)
    assert library.nothing_lives()
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
def test_revoke_deletes_the_session_for_any_answer_of_the_host(
    library: Library, network: FakeNetwork, fault: Any
) -> None:
    """Requirement 7.19: local logout does not depend on anybody."""
    session = library.logs_in(ALICE)
    network.lay(REVOKE, fault)

    library.client.revoke(session.did, session.session_id, deadline=library.deadline())

    assert library.sessions.get(session.did, session.session_id) is None


@pytest.mark.parametrize(
    "fault", [faults.Refuses(), faults.bad_gateway(), faults.too_many()], ids=str
)
def test_revoke_keeps_an_unanswered_session_on_request_and_can_be_repeated(
    library: Library, network: FakeNetwork, world: World, fault: Any
) -> None:
    session = library.logs_in(ALICE)
    key = session.did, session.session_id
    network.lay(REVOKE, fault)

    failed = library.client.revoke(
        *key, deadline=library.deadline(), keep_unanswered=True
    )
    assert failed == Revocation(issuer=ENTRYWAY, is_asked=True, is_answered=False)
    assert library.sessions.get(*key) is not None

    network.mend(REVOKE)
    world.clock.advance(60)  # the circuit of the host closes
    done = library.client.revoke(
        *key, deadline=library.deadline(), keep_unanswered=True
    )
    assert done == Revocation(issuer=ENTRYWAY, is_asked=True)
    assert library.nothing_lives()


def test_revoke_during_a_refresh_revokes_its_tokens_too(
    library: Library, network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = library.logs_in(ALICE)
    get = library.sessions.get

    def refreshed_after(did: Any, session_id: str) -> Any:
        found = get(did, session_id)
        library.sessions.put(replace(session, access_token="of the refresh"))
        return found

    monkeypatch.setattr(library.sessions, "get", refreshed_after)
    library.client.revoke(
        session.did,
        session.session_id,
        deadline=library.deadline(),
        keep_unanswered=True,
    )

    sent = [one.form["token"] for one in network.sent(path="/oauth/revoke")]
    assert session.access_token in sent
    assert "of the refresh" in sent


def test_revoke_without_revocation_endpoint_returns_not_asked(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 7.19: just delete."""
    world.skyhost.server.lies.metadata["revocation_endpoint"] = REMOVED
    session = library.logs_in(ALICE)

    revocation = library.client.revoke(
        session.did, session.session_id, deadline=library.deadline()
    )

    assert revocation == Revocation(issuer=ENTRYWAY, is_asked=False)
    assert library.sessions.get(session.did, session.session_id) is None
    assert network.sent(path="/oauth/revoke") == []


def test_one_device_signs_out_and_the_other_stays(
    library: Library, world: World
) -> None:
    """Requirement 6.19."""
    here, there = library.logs_in(ALICE), library.logs_in(ALICE)

    library.client.revoke(here.did, here.session_id, deadline=library.deadline())

    assert library.sessions.get(there.did, there.session_id)
    assert len(world.skyhost.server.grants.alive(world.alice.did)) == 1


def test_revoke_of_unknown_session_returns_none(
    library: Library, network: FakeNetwork
) -> None:
    """Ending twice is no error."""
    did: Any = plc_did("unknown")

    deadline = library.deadline()

    assert library.client.revoke(did, "unknown", deadline=deadline) is None
    assert network.sent() == []


def test_sessions_are_records(library: Library) -> None:
    """Frozen: a session changes by being replaced."""
    session = library.logs_in(ALICE)

    assert replace(session, scope="atproto x") != session


def test_former_keywords_of_the_browser_secret_warn_and_work(library: Library) -> None:
    """Requirement 9.12: for one release `binding` and `bindings` mean the same."""
    with pytest.warns(DeprecationWarning, match="'browser_secret'"):
        authorization = library.client.authorize(
            parse_identifier(ALICE),
            scope="atproto",
            redirect_uri=library.redirect_uri,
            deadline=library.deadline(),
            binding=SECRET,
        )
    url = library.at_host(authorization).approves().url
    query = parse_qsl(urlsplit(url).query)
    with pytest.raises(BrowserMismatch):
        library.client.callback(query, deadline=library.deadline())
    with pytest.warns(DeprecationWarning, match="'browser_secrets'"):
        completed = library.client.callback(
            query,
            bindings=(SECRET,),
            deadline=library.deadline(),
        )

    assert completed.session.handle == ALICE
