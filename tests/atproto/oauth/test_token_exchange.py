"""Redeeming the code: once, for what was granted, with the same keys (requirements
6.7 to 6.16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.crypto.keys import SigningKey
from app.atproto.errors import (
    ClientRefused,
    CodeRejected,
    DocumentInvalid,
    HostFailing,
    HostUnreachable,
    KeyUnavailable,
    ResponseTooLarge,
    ServerInvalid,
    SubjectMismatch,
)
from tests.atproto.wired import Library, bent, token_requests
from tests.fakes import faults
from tests.fakes.browser import query_of
from tests.fakes.faults import REMOVED
from tests.fakes.refusal import Refusal
from tests.fakes.world import World

if TYPE_CHECKING:
    from tests.fakes.network import FakeNetwork

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ENTRYWAY = "https://as.skyhost.social"
TOKEN = f"{ENTRYWAY}/oauth/token"
REVOKE = f"{ENTRYWAY}/oauth/revoke"


def test_code_with_lost_answer_is_not_sent_again(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 6.8: the code may have been used; sending it again would end the
    session.
    """
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.DropsAnswer())

    with pytest.raises(HostUnreachable) as caught:
        library.finishes(url)
    assert caught.value.sent
    assert token_requests(network) == 1


def test_code_with_slow_answer_is_not_sent_again(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 6.8: nor is one that came too late."""
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
    """Requirement 6.8: when the connection was never made, the code is as good as
    before.
    """
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.Refuses(), times=1)

    assert library.finishes(url).session.did
    assert token_requests(network) == 2


def test_a_server_that_stays_away_ends_the_login(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 6.8: one more try, not many."""
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
        (faults.ChangesStatus(201), ServerInvalid),
    ],
    ids=str,
)
def test_a_broken_answer_ends_the_login(
    library: Library, network: FakeNetwork, fault: Any, error: type[Exception]
) -> None:
    """Requirements 6.8, 9.5: read as what it is, and never repeated."""
    url = library.approved(ALICE)
    network.lay(TOKEN, fault)

    with pytest.raises(error):
        library.finishes(url)
    assert token_requests(network) == 1
    assert network.sent(host="evil.social") == []


def test_code_refused_with_invalid_grant_raises_code_rejected(
    library: Library, world: World
) -> None:
    """Section 10: `invalid_grant`."""
    url = library.approved(ALICE)

    with pytest.raises(CodeRejected):
        library.finishes(bent(url, code="cod-of-another-login"))


@pytest.mark.parametrize("words", ["invalid_request", "Code expired"])
def test_code_refused_in_own_words_raises_code_rejected(
    library: Library, world: World, words: str
) -> None:
    """Requirement 7.17: such words mean the code, as they mean a refresh token."""
    url = library.approved(ALICE)
    world.skyhost.server.lies.refuses["/oauth/token"] = Refusal(words, "no such code")

    with pytest.raises(CodeRejected):
        library.finishes(url)


def test_a_code_of_another_login_is_refused(library: Library) -> None:
    """Requirement 4.4: PKCE ties the code to the verifier of its own flow
    (injection).
    """
    stolen = query_of(library.approved(ALICE))["code"]
    url = library.approved(ALICE)

    with pytest.raises(CodeRejected):
        library.finishes(bent(url, code=stolen))
    assert library.nothing_lives()


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
    """Requirements 6.7, 9.16: the token endpoint is the stored one, not what
    metadata says now.
    """
    page = library.at_host(library.begins(ALICE))
    world.clock.advance(301)  # the cache has expired
    world.skyhost.server.lies.metadata["token_endpoint"] = "https://evil.social/token"

    library.finishes(page.approves().url)

    assert network.sent(path="/oauth/token")[0].url == TOKEN
    assert network.sent(host="evil.social") == []


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
    """Requirements 6.10, 6.15: each field; and what came is revoked as far as it
    is known.
    """
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.ChangesJSON(fields))

    with pytest.raises(ServerInvalid):
        library.finishes(url)
    assert library.nothing_lives()


def test_an_id_token_is_no_identity(library: Library, network: FakeNetwork) -> None:
    """Requirement 6.10: only `sub` is."""
    url = library.approved(ALICE)
    fault = faults.ChangesJSON({"sub": REMOVED, "id_token": "ey.ey.ey"})
    network.lay(TOKEN, fault)

    with pytest.raises(ServerInvalid):
        library.finishes(url)


@pytest.mark.parametrize("kind", ["DPoP", "dpop", "DPOP"])
def test_the_token_type_is_compared_without_case(
    library: Library, network: FakeNetwork, kind: str
) -> None:
    """Requirement 6.10."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.ChangesJSON({"token_type": kind}))

    assert library.finishes(url).session.did


def test_less_than_was_asked_is_what_counts(library: Library, world: World) -> None:
    """Requirements 6.16, 8.8: a narrower grant signs in; the session says what it
    may.
    """
    world.skyhost.server.lies.granted_scope = "atproto"

    session = library.logs_in(ALICE, scope="atproto transition:generic")

    assert session.scope == "atproto"


def test_an_expanded_permission_set_is_taken_as_granted(world: World) -> None:
    """Requirement 8.9: `include:` comes back as what it stands for."""
    include = "include:social.skyhost.notes"
    expanded = "repo:social.skyhost.note rpc?lxm=social.skyhost.list&aud=*"
    world.skyhost.server.expands_include[include] = expanded
    library = Library(world, scope=f"atproto {include}")

    session = library.logs_in(ALICE, scope=f"atproto {include}")

    assert session.scope == f"atproto {expanded}"


@pytest.mark.parametrize("lifetime", [30, 3600])
def test_any_lifetime_is_taken(library: Library, world: World, lifetime: int) -> None:
    """Requirement 7.2: not hard-coded."""
    world.skyhost.server.token_lifetime = lifetime

    assert library.logs_in(ALICE).expires_at == world.clock() + lifetime


def test_a_server_that_says_no_lifetime(library: Library, network: FakeNetwork) -> None:
    """Requirement 7.1: then 401s will tell."""
    network.lay(TOKEN, faults.ChangesJSON({"expires_in": REMOVED}))

    assert library.logs_in(ALICE).expires_at is None


def test_a_session_without_refresh_token(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 7.5: it lives until its access token ends."""
    network.lay(TOKEN, faults.ChangesJSON({"refresh_token": REMOVED}))

    assert library.logs_in(ALICE).refresh_token is None


# --- keys -----------------------------------------------------------------------------
def test_a_flow_keeps_its_client_key_when_a_newer_one_comes(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirements 3.18, 7.3: PAR and exchange are signed by the same key."""
    url = library.approved(ALICE)
    old = library.keys[0]
    library.keys.insert(0, SigningKey.generate("ES256"))
    world.skyhost.server.clients.forget()

    session = library.finishes(url).session

    assert session.client_kid == old.kid
    library.client.revoke(session.did, session.session_id, deadline=library.deadline())
    assert library.nothing_lives()


def test_a_flow_whose_client_key_is_gone_sends_nothing(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 7.4: another key would end the session at the host."""
    url = library.approved(ALICE)
    library.keys[:] = [SigningKey.generate("ES256")]

    with pytest.raises(KeyUnavailable):
        library.finishes(url)
    assert token_requests(network) == 0


def test_a_kid_that_names_another_key_now_is_gone(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 7.3: kid, algorithm and thumbprint are all compared by the server."""
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
    """Requirement 6.15: no grant without a session stays alive."""
    url = library.approved(ALICE)

    def fails(_session: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(library.sessions, "put", fails)

    with pytest.raises(OSError, match="disk full"):
        library.finishes(url)
    assert library.nothing_lives()


def test_a_refusal_survives_a_host_that_cannot_be_reached(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 6.15: best effort; the reason that counts is the first."""
    url = library.approved(ALICE, account=BOB)
    network.lay(REVOKE, faults.Refuses())

    with pytest.raises(SubjectMismatch):
        library.finishes(url)


def test_failed_login_without_revocation_endpoint_sends_no_revocation(
    library: Library, world: World
) -> None:
    """Requirement 7.19: no endpoint, nothing to ask."""
    world.skyhost.server.lies.metadata["revocation_endpoint"] = REMOVED
    url = library.approved(ALICE, account=BOB)

    with pytest.raises(SubjectMismatch):
        library.finishes(url)


# --- bounds ---------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
def test_token_longer_than_8_kb_ends_the_login(
    library: Library, network: FakeNetwork, field: str
) -> None:
    """Requirement 9.4: a stored session stays small; one of 8 KB is taken."""
    url = library.approved(ALICE)
    network.lay(TOKEN, faults.ChangesJSON({field: "x" * 8_193}), times=1)

    with pytest.raises(DocumentInvalid):
        library.finishes(url)

    network.lay(TOKEN, faults.ChangesJSON({field: "x" * 8_192}))
    assert library.logs_in(ALICE).did


@pytest.mark.parametrize(
    "scope",
    [
        "atproto " + "x" * 8_185,
        "atproto " + " ".join(f"repo:app.relay.t{n}" for n in range(256)),
    ],
    ids=["8 KB", "256 words"],
)
def test_granted_scope_over_the_limits_ends_the_login(
    library: Library, world: World, scope: str
) -> None:
    """H2: comparing thousands of words took 42 seconds."""
    world.skyhost.server.lies.granted_scope = scope

    with pytest.raises(DocumentInvalid):
        library.logs_in(ALICE)
    assert library.nothing_lives()


def test_granted_scope_over_the_limits_keeps_the_known_one_at_a_refresh(
    library: Library, world: World
) -> None:
    session = library.logs_in(ALICE)
    world.skyhost.server.lies.granted_scope = "atproto " + "x" * 8_185

    refreshed = library.client.refresh(
        session.did, session.session_id, deadline=library.deadline()
    )

    assert refreshed.scope == session.scope


@pytest.mark.parametrize(
    ("asked", "granted", "kept"),
    [
        ("atproto", "atproto repo:app.relay.track transition:email x:y", "atproto"),
        (
            "atproto repo?collection=app.relay.a&collection=app.relay.b",
            "repo:app.relay.b repo:app.relay.a atproto repo:app.relay.c",
            "repo:app.relay.b repo:app.relay.a atproto",
        ),
        (
            "atproto include:app.relay.auth",
            "atproto repo:app.relay.track rpc:app.relay.get?aud=* repo:app.other.x",
            "atproto repo:app.relay.track rpc:app.relay.get?aud=*",
        ),
        ("atproto x:unknown", "atproto x:unknown", "atproto x:unknown"),
    ],
)
def test_granted_words_that_were_not_asked_for_are_dropped(
    world: World, asked: str, granted: str, kept: str
) -> None:
    """H2: unless a requested permission set may contain them (requirement 8.9)."""
    library = Library(world, scope=asked)
    world.skyhost.server.lies.granted_scope = granted

    assert library.logs_in(ALICE, scope=asked).scope == kept
