"""Sending with DPoP: proofs, and the nonces that servers hand out (section 5)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from app.atproto.crypto.keys import SigningKey
from app.atproto.errors import ClientRefused, HostFailing, ServerInvalid
from app.atproto.oauth.dpop import MAX_NOTED, DPoPSender
from app.atproto.stores.memory import MemoryCache
from tests.atproto.wired import Library
from tests.fakes import faults
from tests.fakes.network import Answer, FakeNetwork, Fault, Sent
from tests.fakes.refusal import Refusal
from tests.fakes.world import World

ALICE = "alice.skyhost.social"
PAR = "https://as.skyhost.social/oauth/par"


def test_a_first_request_is_answered_with_a_nonce_and_sent_again(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 5.8: once, with a new proof and a new assertion (requirement
    4.13).
    """
    library.begins(ALICE)

    first, second = network.sent(path="/oauth/par")
    assert "nonce" not in first.proof
    assert second.proof["nonce"]
    assert first.proof["jti"] != second.proof["jti"]
    assert first.assertion["jti"] != second.assertion["jti"]
    assert first.form["code_challenge"] == second.form["code_challenge"]


def test_a_known_nonce_saves_the_round_trip(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 5.10: shared by the sessions of one origin."""
    library.begins(ALICE)
    network.forget()

    library.begins("bob.skyhost.social")

    assert len(network.sent(path="/oauth/par")) == 1


def test_the_nonce_of_every_answer_is_used_next(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.7: of successes and of retried successes too."""
    world.skyhost.server.nonces.rotates_every_answer = True

    library.logs_in(ALICE)
    library.logs_in("bob.skyhost.social")

    assert len(network.sent(path="/oauth/par")) == 3
    assert len(network.sent(path="/oauth/token")) == 2


def test_the_nonce_of_a_refusal_is_used_next(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.7: errors carry nonces as well."""
    world.skyhost.server.nonces.rotates_every_answer = True
    url = library.approved(ALICE)
    world.skyhost.server.grants.end(url)
    world.skyhost.server.lies.refuses["/oauth/par"] = Refusal("invalid_client", "no")
    with pytest.raises(ClientRefused):
        library.begins(ALICE)
    world.skyhost.server.lies.refuses.clear()
    network.forget()

    library.begins("bob.skyhost.social")

    assert len(network.sent(path="/oauth/par")) == 1


def test_a_stale_nonce_costs_one_round_trip(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.10: at the token endpoint too, where the code is not burnt by
    it.
    """
    url = library.approved(ALICE)
    world.clock.advance(200)

    assert library.finishes(url).session.did == world.alice.did
    assert len(network.sent(path="/oauth/token")) == 2


def test_server_that_always_asks_for_another_nonce_is_asked_twice(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.8: no loop, though each answer brings a new nonce."""
    world.skyhost.server.nonces.rotates_every_answer = True
    world.skyhost.server.proofs.wants_another_nonce = True

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert len(network.sent(path="/oauth/par")) == 2


def test_challenge_with_the_same_nonce_is_not_answered(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.8: what was refused a moment ago will be refused again."""
    library.begins(ALICE)
    network.forget()
    world.skyhost.server.proofs.wants_another_nonce = True
    world.skyhost.server.lies.repeats_nonce = True

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert len(network.sent(path="/oauth/par")) == 1


def test_a_challenge_without_nonce_is_an_error_later_too(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.8: the nonce that we had is no answer to it."""
    library.begins(ALICE)
    network.forget()
    world.skyhost.server.proofs.wants_another_nonce = True
    world.skyhost.server.lies.forgets_nonce = True

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert len(network.sent(path="/oauth/par")) == 1


def test_a_challenge_without_nonce_is_an_error(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.8: there is nothing to try again with."""
    world.skyhost.server.lies.forgets_nonce = True

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert len(network.sent(path="/oauth/par")) == 1


def without_nonces(world: World) -> None:
    """Let the host accept any nonce or none, and send none."""
    world.skyhost.server.proofs.nonces.accepts = lambda _nonce: True
    world.skyhost.server.lies.forgets_nonce = True


def test_login_at_server_without_nonces_returns_session(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.9: no request waits for a nonce, at PAR, token exchange and
    refresh.
    """
    without_nonces(world)

    session = library.logs_in(ALICE)
    refreshed = library.client.refresh(
        session.did, session.session_id, deadline=library.deadline()
    )

    assert refreshed.access_token != session.access_token
    assert all("nonce" not in one.proof for one in network.sent(method="POST"))


def test_server_without_nonces_is_logged_once(
    library: Library, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Requirement 5.9."""
    caplog.set_level("INFO")
    without_nonces(world)

    library.logs_in(ALICE)
    library.logs_in("bob.skyhost.social")

    assert caplog.text.count("sends no DPoP nonce") == 1


def test_server_that_begins_to_send_nonces_is_followed(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.9."""
    without_nonces(world)
    url = library.approved(ALICE)
    world.skyhost.server.lies.forgets_nonce = False
    library.finishes(url)
    network.forget()

    library.begins(ALICE)

    assert network.sent(path="/oauth/par")[0].proof["nonce"]


def test_nonce_older_than_five_minutes_is_not_sent(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.10: neither from the cache nor from the stored login or session."""
    page = library.at_host(library.begins(ALICE))
    world.clock.advance(301)
    network.forget()
    session = library.finishes(page.approves().url).session
    world.clock.advance(301)
    library.client.refresh(session.did, session.session_id, deadline=library.deadline())

    requests = network.sent(path="/oauth/token")
    assert ["nonce" in one.proof for one in requests] == [False, True, False, True]


@dataclass
class _Challenges(Fault):
    """Asks for a nonce in the way of a resource server: 401 and a header."""

    nonce: str

    def before(self, sent: Sent, timeout: float) -> Answer | None:
        if "nonce" in sent.proof:
            return None
        says = faults.Says(
            401,
            b"<p>no</p>",
            {
                "WWW-Authenticate": 'DPoP algs="ES256", error="use_dpop_nonce"',
                "DPoP-Nonce": self.nonce,
                "Content-Type": "text/html",
            },
        )
        return says.before(sent, timeout)


def test_a_challenge_in_the_other_form_is_understood(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.8: either form from either side."""
    network.lay(PAR, _Challenges(world.skyhost.server.nonces.current()))

    assert library.begins(ALICE).state
    assert ["nonce" in one.proof for one in network.sent(path="/oauth/par")] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    "nonce", ['with "quotes"', "x" * 10_000, "line\u0085break", ""]
)
def test_malformed_nonce_is_not_used(
    library: Library, network: FakeNetwork, nonce: str
) -> None:
    """RFC 9449 §8.1: a nonce is visible ASCII; ours is not to carry anything else."""
    network.lay(PAR, faults.ChangesHeader("DPoP-Nonce", nonce))

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert len(network.sent(path="/oauth/par")) == 1


def test_a_nonce_stays_with_its_origin(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.7: one server's nonce is not told to another."""
    library.begins(ALICE)
    library.begins("rosies.garden")

    nonces = {
        one.proof["nonce"]
        for one in network.sent(host="rosies.garden", path="/oauth/par")
        if "nonce" in one.proof
    }
    assert nonces == {world.garden.server.nonces.current()}


def test_every_login_has_a_key_of_its_own(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 5.1: never shared, not even between two logins of one person;
    one per session.
    """
    first, second = library.logs_in(ALICE), library.logs_in(ALICE)

    assert first.dpop_key.thumbprint != second.dpop_key.thumbprint
    keys = [one.proof_header["jwk"]["x"] for one in network.sent(method="POST")]
    assert len(set(keys)) == 2


def test_proof_has_the_required_claims_only(
    library: Library, network: FakeNetwork
) -> None:
    """Requirements 5.2, 5.3, 5.5, 5.6: bare key, no `ath` at the authorization
    server, no `iss`.
    """
    library.logs_in(ALICE)

    for sent in network.sent(method="POST"):
        assert set(sent.proof_header) == {"typ", "alg", "jwk"}
        assert set(sent.proof_header["jwk"]) == {"kty", "crv", "x", "y"}
        assert set(sent.proof) <= {"jti", "htm", "htu", "iat", "nonce"}


def test_the_proofs_address_has_no_query(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 5.4: `htu` is the URL without query and fragment."""
    lies = world.skyhost.server.lies
    lies.metadata["pushed_authorization_request_endpoint"] = f"{PAR}?tenant=1"
    with pytest.raises(ClientRefused):
        library.begins(ALICE)

    sent = network.sent(path="/oauth/par")[0]
    assert sent.url == f"{PAR}?tenant=1"
    assert sent.proof["htu"] == PAR


@pytest.mark.parametrize("skew", [-120, 120])
def test_a_clock_that_is_off_by_two_minutes_still_proves(
    world: World, skew: int
) -> None:
    """Requirement 5.11: the reference takes proofs from 190 s old to 180 s ahead.

    As a public client: assertions allow no future at all, which 4.12 has its own test.
    """
    library = Library(world, public=True, clock=world.clock.skewed(skew))

    assert library.begins(ALICE).state


def test_a_resource_server_accepts_the_sessions_key(
    library: Library, world: World
) -> None:
    """Requirements 5.1, 5.5: the key of the session is the one that its token is
    bound to.
    """
    session = library.logs_in(ALICE)
    grant = world.skyhost.server.grants.of_access_token(session.access_token)

    assert grant is not None
    assert grant.proof_key == session.dpop_key.thumbprint


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.bad_gateway(), HostFailing),
        (faults.too_many(), HostFailing),
        (faults.a_page(200), ServerInvalid),
        (faults.a_page(400), ServerInvalid),
        (faults.Says(400, b"[]", {"Content-Type": "application/json"}), ServerInvalid),
        (faults.redirect("https://as.skyhost.social/oauth/par2", 307), ServerInvalid),
        (faults.redirect("https://evil.social/oauth/par", 308), ServerInvalid),
    ],
    ids=str,
)
def test_par_answer_without_oauth_result_ends_the_login(
    library: Library, network: FakeNetwork, fault: Any, error: type[Exception]
) -> None:
    """Requirements 4.1, 9.5: HTML, redirects, outages; a form is sent nowhere else."""
    network.lay(PAR, fault)

    with pytest.raises(error):
        library.begins(ALICE)
    assert len(network.sent(method="POST")) == 1


def test_keys_are_p256_with_coordinates_of_full_width() -> None:
    """Requirement 5.2: one key in 128 has a leading zero byte; a strict server
    counts bytes.
    """
    for _ in range(600):
        jwk = SigningKey.generate("ES256").public_jwk()
        assert (len(jwk["x"]), len(jwk["y"])) == (43, 43)


def test_servers_without_nonces_beyond_a_number_are_not_logged(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger with many servers fills neither the memory nor the log."""
    caplog.set_level("INFO")
    sender = DPoPSender(
        http=library.world.network, cache=MemoryCache(time.time), clock=time.time
    )

    for number in range(MAX_NOTED + 5):
        sender._note_without_nonce(f"https://as-{number}.dev")
        sender._note_without_nonce(f"https://as-{number}.dev")

    assert caplog.text.count("sends no DPoP nonce") == MAX_NOTED
    assert len(sender._without_nonces) == MAX_NOTED
