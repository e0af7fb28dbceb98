"""What servers publish about themselves, row by row (requirements 2.2 to 2.9)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.atproto.discovery.server_metadata import (
    AuthorizationServer,
    ProtectedResource,
    parse_protected_resource,
)
from app.atproto.errors import DocumentInvalid, ServerInvalid, UnsafeURL
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.syntax.grammar import Origin
from tests.atproto import vectors
from tests.fakes.faults import REMOVED
from tests.fakes.world import World

STRICT = NetworkPolicy()
PDS = Origin("https://pds.skyhost.social")
ISSUER = Origin("https://as.skyhost.social")


def resource(**changed: object) -> dict[str, Any]:
    """The document of a PDS, with these fields changed or removed."""
    document = {"resource": PDS, "authorization_servers": [ISSUER], **changed}
    return {name: value for name, value in document.items() if value is not REMOVED}


def server(**changed: object) -> dict[str, Any]:
    """The metadata of an authorization server, with these fields changed or removed."""
    document = {**World().skyhost.server.metadata(), **changed}
    return {name: value for name, value in document.items() if value is not REMOVED}


def parse(document: dict[str, Any], issuer: Origin = ISSUER) -> AuthorizationServer:
    return AuthorizationServer.parse(document, issuer, STRICT)


# --- the protected resource -----------------------------------------------------


def test_a_pds_names_its_one_authorization_server() -> None:
    found = parse_protected_resource(resource(), origin=PDS, policy=STRICT)

    assert found == ProtectedResource(resource=PDS, authorization_server=ISSUER)


@pytest.mark.parametrize(
    "changed",
    [
        {"authorization_servers": []},
        {"authorization_servers": [ISSUER, "https://as.other.social"]},
        {"authorization_servers": [ISSUER, ISSUER]},
        {"authorization_servers": ISSUER},
        {"authorization_servers": [7]},
        {"authorization_servers": {"0": ISSUER}},
        {"authorization_servers": None},
        {"authorization_servers": REMOVED},
    ],
    ids=str,
)
def test_anything_but_one_authorization_server_is_refused(
    changed: dict[str, object],
) -> None:
    """Requirement 2.2."""
    with pytest.raises(DocumentInvalid):
        parse_protected_resource(resource(**changed), origin=PDS, policy=STRICT)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://as.skyhost.social",
        "https://as.skyhost.social/",
        "https://as.skyhost.social/oauth",
        "https://as.skyhost.social:443",
        "https://as.skyhost.social?x=1",
        "https://as.skyhost.social#x",
        "https://u@as.skyhost.social",
        "https://AS.skyhost.social",
        "https://127.0.0.1",
        "https://as.skyhost.social\\@evil.net",
        "as.skyhost.social",
        "",
    ],
)
def test_issuer_that_is_not_a_bare_origin_is_refused(issuer: str) -> None:
    """Requirement 2.3."""
    document = resource(authorization_servers=[issuer])

    with pytest.raises(DocumentInvalid):
        parse_protected_resource(document, origin=PDS, policy=STRICT)


@pytest.mark.parametrize(
    "issuer",
    ["https://as.skyhost.social:8443", "https://as.local", "https://as.example.com"],
)
def test_issuer_at_unsafe_url_is_refused(issuer: str) -> None:
    """Requirement 9.1: a well-formed one, at another port or under a reserved name."""
    document = resource(authorization_servers=[issuer])

    with pytest.raises(UnsafeURL):
        parse_protected_resource(document, origin=PDS, policy=STRICT)


def test_a_test_network_has_issuers_of_its_own() -> None:
    pds, issuer = Origin("http://localhost:2583"), Origin("http://localhost:2584")
    document = {"resource": pds, "authorization_servers": [issuer]}

    parsed = parse_protected_resource(document, origin=pds, policy=NetworkPolicy.lab())

    assert parsed.authorization_server == issuer


@pytest.mark.parametrize(
    "claimed", ["https://pds.other.social", PDS + "/", PDS.upper(), 7, None, REMOVED]
)
def test_the_document_of_another_resource_is_refused(claimed: object) -> None:
    """Requirement 2.4."""
    with pytest.raises(DocumentInvalid):
        parse_protected_resource(resource(resource=claimed), origin=PDS, policy=STRICT)


# --- the authorization server ---------------------------------------------------


def test_a_server_that_keeps_the_profile_is_accepted() -> None:
    accepted = parse(server())

    assert accepted.issuer == ISSUER
    assert accepted.authorization_endpoint == f"{ISSUER}/oauth/authorize"
    assert accepted.token_endpoint == f"{ISSUER}/oauth/token"
    assert accepted.par_endpoint == f"{ISSUER}/oauth/par"
    assert accepted.revocation_endpoint == f"{ISSUER}/oauth/revoke"
    assert "create" in (accepted.prompts or ())


LISTS = {
    "response_types_supported": ["code"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
    "scopes_supported": ["atproto"],
    "dpop_signing_alg_values_supported": ["ES256"],
}
SWITCHES = [
    "require_pushed_authorization_requests",
    "authorization_response_iss_parameter_supported",
    "client_id_metadata_document_supported",
]
ENDPOINTS = [
    "authorization_endpoint",
    "token_endpoint",
    "pushed_authorization_request_endpoint",
]


def refuses(**changed: object) -> None:
    """Expect a refusal that names the field."""
    (name,) = changed
    with pytest.raises(ServerInvalid) as refusal:
        parse(server(**changed))

    if not isinstance(refusal.value, UnsafeURL):
        assert name in str(refusal.value)


@pytest.mark.parametrize("name", LISTS)
def test_each_list_must_contain_what_the_profile_needs(name: str) -> None:
    """Requirement 2.7: one row of the table at a time, one value at a time."""
    for left_out in LISTS[name]:
        rest = [value for value in LISTS[name] if value != left_out]
        refuses(**{name: [*rest, "something else"]})
    for wrong in (REMOVED, None, [], LISTS[name][0], [7, *LISTS[name]], {}):
        refuses(**{name: wrong})


@pytest.mark.parametrize("name", LISTS)
def test_each_list_may_contain_more(name: str) -> None:
    assert parse(server(**{name: ["something else", *LISTS[name]]}))


@pytest.mark.parametrize("name", SWITCHES)
def test_required_metadata_flag_that_is_not_true_is_refused(name: str) -> None:
    for wrong in (REMOVED, None, False, "true", 1, [True]):
        refuses(**{name: wrong})


def test_metadata_with_algorithm_none_is_refused() -> None:
    name = "token_endpoint_auth_signing_alg_values_supported"

    refuses(**{name: ["ES256", "none"]})


def test_metadata_that_allows_unregistered_request_uris_is_refused() -> None:
    name = "require_request_uri_registration"

    assert parse(server(**{name: REMOVED}))
    assert parse(server(**{name: True}))
    refuses(**{name: False})
    refuses(**{name: "false"})


@pytest.mark.parametrize("name", [*ENDPOINTS, "revocation_endpoint"])
@pytest.mark.parametrize(
    "endpoint",
    [
        "http://as.skyhost.social/x",
        "javascript:alert(1)",
        "data:text/html,x",
        "/oauth/x",
        "https://u@as.skyhost.social/x",
        "https://as.skyhost.social/x#f",
        "https://as.skyhost.social\\@evil.net/x",
        "https://as.skyhost.social:8443/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/x",
        "https://localhost/x",
        "",
        7,
        ["https://as.skyhost.social/x"],
    ],
)
def test_an_endpoint_is_a_public_https_url(name: str, endpoint: object) -> None:
    """Requirements 2.8, 9.10."""
    refuses(**{name: endpoint})


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_needed_endpoint_may_not_be_missing(name: str) -> None:
    refuses(**{name: REMOVED})


def test_revocation_is_optional() -> None:
    assert parse(server(revocation_endpoint=REMOVED)).revocation_endpoint is None


def test_an_endpoint_may_live_elsewhere_and_have_a_query() -> None:
    """Requirement 2.8."""
    endpoint = "https://login.other.social/authorize?tenant=7"

    assert parse(server(authorization_endpoint=endpoint)).authorization_endpoint == (
        endpoint
    )


@pytest.mark.parametrize(
    "claimed", [ISSUER + "/", "https://as.other.social", ISSUER.upper(), REMOVED, None]
)
def test_another_issuer_than_was_asked_is_refused(claimed: object) -> None:
    """Requirement 2.6: compared as strings."""
    refuses(issuer=claimed)


@pytest.mark.parametrize("name", ["prompt_values_supported", "protected_resources"])
def test_an_optional_list_is_a_list_of_strings_when_it_is_there(name: str) -> None:
    assert parse(server(**{name: REMOVED}))
    refuses(**{name: "login"})
    refuses(**{name: [7]})


def test_pds_outside_the_protected_resources_is_refused() -> None:
    """Requirement 2.9."""
    listing = parse(server(protected_resources=[PDS, "https://pds.two.social"]))

    listing.require_protected_resource(PDS)
    with pytest.raises(DocumentInvalid):
        listing.require_protected_resource(Origin("https://pds.three.social"))


def test_server_without_protected_resources_accepts_each_pds() -> None:
    parse(server(protected_resources=REMOVED)).require_protected_resource(PDS)


def test_server_with_empty_protected_resources_is_refused() -> None:
    with pytest.raises(DocumentInvalid):
        parse(server(protected_resources=[])).require_protected_resource(PDS)


def test_server_restored_from_its_document_is_equal() -> None:
    for document in (server(), server(protected_resources=[PDS])):
        accepted = parse(document)
        stored = json.loads(json.dumps(accepted.document()))

        assert AuthorizationServer.restore(stored) == accepted


# --- captured from live servers -------------------------------------------------


@vectors.absent
@pytest.mark.parametrize(
    ("name", "issuer"),
    [
        ("bsky-entryway-authorization-server.json", "https://bsky.social"),
        ("indie-authorization-server.json", "https://pds.robocracy.org"),
    ],
)
def test_captured_servers_are_accepted(name: str, issuer: str) -> None:
    accepted = parse(vectors.document(name), Origin(issuer))

    assert accepted.par_endpoint == f"{issuer}/oauth/par"


@vectors.absent
@pytest.mark.parametrize(
    ("name", "pds", "issuer"),
    [
        (
            "morel-protected-resource.json",
            "https://morel.us-east.host.bsky.network",
            "https://bsky.social",
        ),
        (
            "indie-protected-resource.json",
            "https://pds.robocracy.org",
            "https://pds.robocracy.org",
        ),
    ],
)
def test_captured_protected_resources_are_accepted(
    name: str, pds: str, issuer: str
) -> None:
    document = vectors.document(name)

    found = parse_protected_resource(document, origin=Origin(pds), policy=STRICT)

    assert found.authorization_server == issuer


@vectors.absent
def test_a_captured_server_that_lists_its_pds_speaks_for_it() -> None:
    issuer = Origin("https://pds.robocracy.org")
    indie = parse(vectors.document("indie-authorization-server.json"), issuer)

    assert indie.protected_resources == (issuer,)
    indie.require_protected_resource(issuer)


# --- bounds ---------------------------------------------------------------------------


def test_prompts_that_are_not_known_are_not_kept() -> None:
    found = parse(server(prompt_values_supported=["create", "x" * 50_000, "login"]))

    assert found.prompts == ("create", "login")


def test_endpoint_longer_than_2_kb_is_refused() -> None:
    with pytest.raises(DocumentInvalid):
        parse(server(token_endpoint=f"{ISSUER}/{'x' * 2_048}"))


@pytest.mark.parametrize(
    ("modes", "supported"),
    [(["query", "fragment"], True), (["fragment"], False), (REMOVED, False)],
)
def test_response_mode_query_is_known_where_it_is_published(
    modes: object, supported: bool
) -> None:
    assert parse(server(response_modes_supported=modes)).response_mode_query is (
        supported
    )
