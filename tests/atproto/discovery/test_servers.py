"""From a PDS to its authorization server: section 2, against hosts that break it.

However a document is wrong, the outcome is the same: a clear error, nothing pushed.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.atproto.errors import (
    DocumentInvalid,
    HostFailing,
    HostUnreachable,
    HostWithoutOAuth,
    IdentifierInvalid,
    ResponseTooLarge,
    ServerInvalid,
    UnsafeURL,
)
from tests.atproto.wired import HOST, Library
from tests.fakes import faults
from tests.fakes.faults import REMOVED
from tests.fakes.network import FakeNetwork, Sent
from tests.fakes.world import World

ALICE = "alice.skyhost.social"
RESOURCE = "https://pds.skyhost.social/.well-known/oauth-protected-resource"
GARDEN = "https://rosies.garden"
SERVER_PATH = "/.well-known/oauth-authorization-server"
SERVER = "https://as.skyhost.social/.well-known/oauth-authorization-server"


def pushed(network: FakeNetwork) -> int:
    return len(network.sent(path="/oauth/par"))


def test_an_account_is_followed_to_its_authorization_server(library: Library) -> None:
    """Requirements 2.1, 2.5: PDS, its resource document, the server it names."""
    assert library.begins(ALICE).issuer == "https://as.skyhost.social"


@pytest.mark.parametrize("url", [RESOURCE, SERVER])
@pytest.mark.parametrize(
    "fault",
    [
        faults.redirect("https://as.skyhost.social/elsewhere"),
        faults.redirect("https://as.skyhost.social/elsewhere", 301),
        faults.redirect("https://as.skyhost.social/elsewhere", 308),
        faults.Says(204, b"", {"Content-Type": "application/json"}),
        faults.ChangesStatus(201),
        faults.ChangesStatus(203),
        faults.ChangesStatus(206),
        faults.ChangesStatus(403),
        faults.a_page(),
        faults.Says(200, b"[]", {"Content-Type": "application/json"}),
        faults.Says(200, b"not json", {"Content-Type": "application/json"}),
        faults.Says(200, b'"text"', {"Content-Type": "application/json"}),
        faults.ChangesHeader("Content-Type", "text/plain"),
        faults.ChangesHeader("Content-Type", "application/jsonp"),
        faults.ChangesHeader("Content-Type"),
    ],
    ids=repr,
)
def test_metadata_answer_that_is_no_json_document_is_refused(
    library: Library, network: FakeNetwork, url: str, fault: Any
) -> None:
    """Requirements 2.1, 2.5, 9.5: exactly 200, no redirect, a JSON object of the
    right type.
    """
    network.lay(url, fault)

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert pushed(network) == 0


def test_redirects_of_documents_are_not_followed(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 2.1: a redirect to a perfect document is still a redirect."""
    world.network.serve("mirror.skyhost.social", world.skyhost.pds)
    mirror = "https://mirror.skyhost.social/.well-known/oauth-protected-resource"
    network.lay(RESOURCE, faults.redirect(mirror))

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert network.sent(host="mirror.skyhost.social") == []


def test_a_parameter_of_the_content_type_is_allowed(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 2.1: `application/json; charset=utf-8` is JSON."""
    for url in (RESOURCE, SERVER):
        fault = faults.ChangesHeader("Content-Type", "Application/JSON; charset=utf-8")
        network.lay(url, fault)

    assert library.begins(ALICE).state


@pytest.mark.parametrize("url", [RESOURCE, SERVER])
@pytest.mark.parametrize("fault", [faults.bad_gateway(), faults.too_many()], ids=repr)
def test_metadata_answer_of_a_failing_host_raises_host_failing(
    library: Library, network: FakeNetwork, url: str, fault: Any
) -> None:
    """Section 10: HTML from a proxy, or 429, means try again later."""
    network.lay(url, fault)

    with pytest.raises(HostFailing):
        library.begins(ALICE)


@pytest.mark.parametrize("url", [RESOURCE, SERVER])
def test_an_oversized_document_is_cut_off(
    library: Library, network: FakeNetwork, url: str
) -> None:
    """Requirement 9.4: ten megabytes are not read to the end."""
    network.lay(url, faults.Swells(10_000_000))

    with pytest.raises(ResponseTooLarge):
        library.begins(ALICE)


@pytest.mark.parametrize("url", [RESOURCE, SERVER])
def test_a_slow_document_ends_with_the_time_allowed(
    library: Library, network: FakeNetwork, world: World, url: str
) -> None:
    """Requirement 9.3: one budget for the whole login, not one for each hop."""
    document = f"https://plc.directory/{world.alice.did}"
    network.lay(document, faults.Waits(world.clock, 6))
    network.lay(url, faults.Waits(world.clock, 60))
    began = world.clock.monotonic()

    with pytest.raises(HostUnreachable):
        library.begins(ALICE)
    assert world.clock.monotonic() - began <= 10


@pytest.mark.parametrize(
    "servers",
    [
        [],
        ["https://as.skyhost.social", "https://as.evil.social"],
        ["https://as.skyhost.social", "https://as.skyhost.social"],
        "https://as.skyhost.social",
        None,
    ],
)
def test_a_resource_without_exactly_one_server_is_refused(
    library: Library, network: FakeNetwork, world: World, servers: object
) -> None:
    """Requirement 2.2: not none, not two, not a bare string; the first is never
    simply taken.
    """
    if isinstance(servers, list):
        servers = ["https://as.skyhost.social", "https://as.evil.social"][
            : len(servers)
        ]
    world.skyhost.pds.document["authorization_servers"] = servers

    with pytest.raises(DocumentInvalid):
        library.begins(ALICE)
    assert pushed(network) == 0


@pytest.mark.parametrize(
    "issuer",
    [
        "https://as.skyhost.social/",
        "https://as.skyhost.social:443",
        "http://as.skyhost.social",
        "https://as.skyhost.social/path",
        "https://user@as.skyhost.social",
        "https://as.skyhost.social?x=1",
        "https://as.skyhost.social#x",
        "https://AS.skyhost.social",
        "as.skyhost.social",
        "https://as.skyhost.social:8443",
        "",
        None,
        7,
    ],
)
def test_an_issuer_that_is_not_a_bare_origin_is_refused(
    library: Library, network: FakeNetwork, world: World, issuer: object
) -> None:
    """Requirements 2.3, 9.2: and other ports than 443 are refused although legal."""
    world.skyhost.pds.document["authorization_servers"] = [issuer]

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert pushed(network) == 0
    assert network.sent(host="as.skyhost.social") == []


@pytest.mark.parametrize(
    "address",
    [
        "https://10.0.0.5",
        "https://127.0.0.1",
        "https://[::1]",
        "https://169.254.169.254",
        "https://2130706433",
        "https://0x7f.1",
        "https://as.localhost",
        "https://as.internal",
        "https://as.test",
        "https://localhost",
        "https://as.example.com",
    ],
)
def test_server_at_private_address_is_not_contacted(
    library: Library, network: FakeNetwork, world: World, address: str
) -> None:
    """Requirement 9.1: the second hop is as hardened as the first."""
    world.skyhost.pds.document["authorization_servers"] = [address]

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert network.sent(host=address.removeprefix("https://")) == []


@pytest.mark.parametrize("resource", ["https://pds.evil.social", REMOVED, None, ""])
def test_the_document_of_another_resource_is_refused(
    library: Library, world: World, resource: object
) -> None:
    """Requirement 2.4: RFC 9728 §3.3."""
    world.skyhost.pds.document["resource"] = resource

    with pytest.raises(DocumentInvalid):
        library.begins(ALICE)


@pytest.mark.parametrize(
    "issuer",
    ["https://as.skyhost.social/", "https://as.evil.social", "", REMOVED, None],
)
def test_metadata_of_another_issuer_is_refused(
    library: Library, network: FakeNetwork, world: World, issuer: object
) -> None:
    """Requirement 2.6: RFC 8414 §3.3, compared as a string."""
    world.skyhost.server.lies.metadata["issuer"] = issuer

    with pytest.raises(DocumentInvalid):
        library.begins(ALICE)
    assert pushed(network) == 0


BROKEN: dict[str, list[object]] = {
    "authorization_endpoint": [REMOVED, 7, "", "http://as.skyhost.social/a"],
    "token_endpoint": [REMOVED, None, "javascript:alert(1)", "//as.skyhost.social"],
    "pushed_authorization_request_endpoint": [REMOVED, "http://as.skyhost.social"],
    "require_pushed_authorization_requests": [REMOVED, False, "true", 1],
    "response_types_supported": [REMOVED, [], ["token"], "code"],
    "grant_types_supported": [
        REMOVED,
        ["authorization_code"],
        ["refresh_token"],
        "authorization_code refresh_token",
    ],
    "code_challenge_methods_supported": [REMOVED, ["plain"], []],
    "token_endpoint_auth_methods_supported": [
        REMOVED,
        ["none"],
        ["private_key_jwt"],
    ],
    "token_endpoint_auth_signing_alg_values_supported": [
        REMOVED,
        ["RS256"],
        ["ES256", "none"],
    ],
    "scopes_supported": [REMOVED, ["transition:generic"], "atproto"],
    "authorization_response_iss_parameter_supported": [REMOVED, False, "true"],
    "dpop_signing_alg_values_supported": [REMOVED, ["ES256K"], []],
    "client_id_metadata_document_supported": [REMOVED, False, 1],
    "require_request_uri_registration": [False, "false", 0],
    "revocation_endpoint": ["http://as.skyhost.social/revoke", 7],
    "protected_resources": [["https://pds.evil.social"], [], "https://pds", {}],
    "prompt_values_supported": ["login", [1]],
}
BROKEN_FIELDS = [(name, value) for name, values in BROKEN.items() for value in values]


@pytest.mark.parametrize(
    ("name", "value"),
    BROKEN_FIELDS,
    ids=[f"{name}={'gone' if v is REMOVED else v}" for name, v in BROKEN_FIELDS],
)
def test_metadata_with_a_broken_field_is_refused(
    library: Library, network: FakeNetwork, world: World, name: str, value: object
) -> None:
    """Requirements 2.7, 2.9: every row of the table, broken."""
    world.skyhost.server.lies.metadata[name] = value

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert pushed(network) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("require_request_uri_registration", REMOVED),
        ("revocation_endpoint", REMOVED),
        ("prompt_values_supported", REMOVED),
        ("protected_resources", REMOVED),
        ("protected_resources", ["https://pds.skyhost.social"]),
        ("dpop_signing_alg_values_supported", ["RS256", "ES256"]),
        ("scopes_supported", ["atproto"]),
        ("a_field_of_tomorrow", {"what": "ever"}),
    ],
    ids=str,
)
def test_metadata_may_lack_what_is_optional(
    library: Library, world: World, name: str, value: object
) -> None:
    """Requirements 2.7, 5.12: optional fields, and unknown ones."""
    world.skyhost.server.lies.metadata[name] = value

    assert library.begins(ALICE).state


ENDPOINTS = [
    "authorization_endpoint",
    "token_endpoint",
    "pushed_authorization_request_endpoint",
    "revocation_endpoint",
]


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.5/oauth",
        "https://169.254.169.254/latest",
        "https://user:pass@as.skyhost.social/oauth",
        "https://as.skyhost.social/oauth#fragment",
        "https://as.skyhost.social:8443/oauth",
        "https://localhost/oauth",
        "https://as.skyhost.social\\@evil.social/oauth",
        "data:text/html,hello",
        "javascript:alert(1)//",
        " https://as.skyhost.social/oauth",
        "https://as.skyhost.social/oa\nuth",
    ],
)
def test_endpoint_at_unsafe_url_is_refused(
    library: Library, network: FakeNetwork, world: World, name: str, url: str
) -> None:
    """Requirements 2.8, 9.1, 9.10: every endpoint, before it is used."""
    world.skyhost.server.lies.metadata[name] = url

    with pytest.raises(ServerInvalid):
        library.begins(ALICE)
    assert pushed(network) == 0


def test_endpoints_may_live_on_another_origin(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 2.8: the specification does not forbid it; nonces belong to that
    origin.
    """
    endpoint = "https://par.skyhost.social/oauth/par"
    network.serve("par.skyhost.social", world.skyhost.server)
    world.skyhost.server.lies.metadata["pushed_authorization_request_endpoint"] = (
        endpoint
    )

    library.begins(ALICE)

    assert network.sent(host="par.skyhost.social")[-1].proof["htu"] == endpoint


def test_a_query_of_the_authorization_endpoint_stays(
    library: Library, world: World
) -> None:
    """Requirement 2.8: ours is appended, not pasted on."""
    endpoint = "https://as.skyhost.social/oauth/authorize?lang=de&x=%20y"
    world.skyhost.server.lies.metadata["authorization_endpoint"] = endpoint

    url = library.begins(ALICE).url

    assert url.startswith(f"{endpoint}&client_id=")
    assert url.count("?") == 1


def test_server_that_does_not_list_the_pds_is_refused(
    library: Library, world: World
) -> None:
    """Requirement 2.9: the server's own list says whose it is."""
    stranger = world.add_host("stranger.social", server="as.stranger.social")
    stranger.pds.document["authorization_servers"] = ["https://rosies.garden"]
    world.settle("eve.stranger.social", stranger)

    with pytest.raises(DocumentInvalid):
        library.begins("eve.stranger.social")


def test_login_with_pds_url_begins_at_its_server(
    library: Library, world: World
) -> None:
    """Requirement 2.10: taken for a PDS first."""
    assert library.begins("https://pds.skyhost.social").issuer == (
        "https://as.skyhost.social"
    )


def test_login_with_authorization_server_url_begins_there(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 2.10: no resource document there, but a server's."""
    assert library.begins("https://as.skyhost.social").issuer == (
        "https://as.skyhost.social"
    )
    asked = network.sent(host="as.skyhost.social", method="GET")
    assert sorted(one.path for one in asked) == [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
    ]


@pytest.mark.parametrize(
    "typed",
    [
        "https://as.skyhost.social/",
        "https://as.skyhost.social/oauth/authorize?x=1#y",
        "HTTPS://AS.SKYHOST.SOCIAL",
        "https://pds.skyhost.social/",
    ],
)
def test_a_typed_server_is_normalised_to_its_origin(
    library: Library, typed: str
) -> None:
    """Requirement 2.11: a slash more does not matter to a person."""
    assert library.begins(typed).issuer == "https://as.skyhost.social"


def test_login_with_url_of_other_host_raises_host_without_oauth(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 2.12: of a server start."""
    with pytest.raises(HostWithoutOAuth):
        library.begins(f"https://{ALICE}")


def test_pds_without_metadata_raises_host_without_oauth(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 2.12: the person is told; no other host is asked."""
    network.lay(RESOURCE, faults.missing())

    with pytest.raises(HostWithoutOAuth):
        library.begins(ALICE)
    assert {one.host for one in network.sent()} == {
        ALICE,
        "plc.directory",
        "pds.skyhost.social",
    }


def test_a_server_start_goes_on_when_its_pds_side_is_broken(
    library: Library, network: FakeNetwork
) -> None:
    """Requirement 2.10: what does not yield a server is asked whether it is one."""
    url = "https://as.skyhost.social/.well-known/oauth-protected-resource"
    network.lay(url, faults.a_page())

    assert library.begins("https://as.skyhost.social").state


def test_login_with_url_of_host_that_is_down_raises_host_unreachable(
    library: Library, network: FakeNetwork
) -> None:
    """A host that is down is not a host without OAuth."""
    network.unplug("as.skyhost.social")

    with pytest.raises(HostUnreachable):
        library.begins("https://as.skyhost.social")


def test_plain_http_is_refused(library: Library, network: FakeNetwork) -> None:
    """Requirement 2.14: outside of development."""
    with pytest.raises((IdentifierInvalid, UnsafeURL)):
        library.begins("http://as.skyhost.social")
    assert network.sent() == []


def test_second_login_uses_cached_metadata(
    library: Library, network: FakeNetwork
) -> None:
    """Requirements 2.13, 1.28: within five minutes one request is enough."""
    library.begins(ALICE)
    network.forget()

    library.begins(ALICE)

    assert [one.path for one in network.sent()] == ["/oauth/par"]


def test_cached_metadata_expires_after_minutes(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirements 2.13, 1.28: ten minutes later everything is looked at again."""
    library.begins(ALICE)
    network.forget()
    world.clock.advance(600)

    library.begins(ALICE)

    asked = {one.path for one in network.sent(method="GET")}
    assert {
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        f"/{world.alice.did}",
    } <= asked


def test_invalid_metadata_is_not_cached(library: Library, network: FakeNetwork) -> None:
    """What failed a check is fetched again at the next try."""
    network.lay(
        SERVER, faults.ChangesJSON({"issuer": "https://as.evil.social"}), times=1
    )
    with pytest.raises(DocumentInvalid):
        library.begins(ALICE)

    assert library.begins(ALICE).state


def test_identity_is_resolved_again_after_its_pds_failed(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """Requirement 1.29: when its PDS fails, the account may have moved since we
    looked.
    """
    network.unplug("pds.skyhost.social")
    with pytest.raises(HostUnreachable):
        library.begins(ALICE)
    world.moves(world.alice, world.garden)

    assert library.begins(ALICE).issuer == "https://rosies.garden"


# --- our own origin (B5) --------------------------------------------------------------

OURS = f"https://{HOST}"


def test_own_origin_as_issuer_is_refused(library: Library, world: World) -> None:
    world.skyhost.pds.document["authorization_servers"] = [OURS]

    with pytest.raises(UnsafeURL):
        library.begins(ALICE)


@pytest.mark.parametrize(
    "endpoint",
    ["authorization_endpoint", "token_endpoint", "revocation_endpoint"],
)
def test_own_origin_as_endpoint_is_refused(
    library: Library, world: World, endpoint: str
) -> None:
    """A browser that is sent to our own /auth/logout is signed out without asking."""
    world.skyhost.server.lies.metadata[endpoint] = f"{OURS}/auth/logout"

    with pytest.raises(UnsafeURL):
        library.begins(ALICE)


def test_own_origin_as_pds_is_refused(
    library: Library, network: FakeNetwork, world: World
) -> None:
    service = world.plc.documents[world.alice.did]["service"][0]
    service["serviceEndpoint"] = OURS

    with pytest.raises(UnsafeURL):
        library.begins(ALICE)
    assert network.sent(host=HOST) == []


def test_own_origin_as_typed_server_is_refused(
    library: Library, network: FakeNetwork
) -> None:
    with pytest.raises(UnsafeURL):
        library.begins(OURS)
    assert network.sent(host=HOST) == []


# --- caches and speed -----------------------------------------------------------------


def test_cache_keeps_what_was_validated_and_nothing_else(
    library: Library, network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H4: documents of 90 KB leave a few hundred bytes."""
    kept: dict[str, str] = {}
    put = library.cache.put

    def notes(key: str, value: str, *, lifetime: float) -> None:
        kept[key] = value
        put(key, value, lifetime=lifetime)

    monkeypatch.setattr(library.cache, "put", notes)
    network.lay(RESOURCE, faults.Swells(90_000))
    network.lay(SERVER, faults.Swells(90_000))

    library.begins(ALICE)

    assert len([key for key in kept if key.startswith("metadata:")]) == 2
    assert sum(map(len, kept.values())) < 4_000


def test_long_list_of_protected_resources_is_not_kept(
    library: Library, network: FakeNetwork, world: World
) -> None:
    """H4: neither in the cache nor in the row of the login."""
    listed = [f"https://pds{n}.skyhost.social" for n in range(2_000)]
    world.skyhost.server.lies.metadata["protected_resources"] = [
        "https://pds.skyhost.social",
        *listed,
    ]

    library.begins(ALICE)
    assert library.states.last.server["protected_resources"] is None

    network.forget()
    library.begins("bob.skyhost.social")
    assert len(network.sent(host="as.skyhost.social", method="GET")) == 1


def test_malformed_cache_entry_is_fetched_again(
    library: Library, network: FakeNetwork
) -> None:
    """Another version of this program may have written it."""
    for url in (RESOURCE, SERVER):
        library.cache.put(f"metadata:{url}", '{"document": {}}', lifetime=60)

    assert library.begins(ALICE).issuer == "https://as.skyhost.social"
    assert len(network.sent(path="/.well-known/oauth-protected-resource")) == 1


class _WaitsFor(faults.Fault):
    """Answers when another URL has been asked for."""

    def __init__(self, asked: threading.Event) -> None:
        self.asked = asked

    def before(self, sent: Sent, timeout: float) -> None:
        assert self.asked.wait(30)


class _Notes(faults.Fault):
    """Notes that a URL was asked for."""

    def __init__(self, asked: threading.Event) -> None:
        self.asked = asked

    def before(self, sent: Sent, timeout: float) -> None:
        self.asked.set()


def test_both_documents_of_a_pds_are_fetched_at_the_same_time(
    library: Library, network: FakeNetwork
) -> None:
    """A PDS that is its own authorization server costs one hop less."""
    asked = threading.Event()
    network.lay(f"{GARDEN}/.well-known/oauth-protected-resource", _WaitsFor(asked))
    network.lay(f"{GARDEN}/.well-known/oauth-authorization-server", _Notes(asked))

    assert library.begins("rosies.garden").issuer == GARDEN
    assert len(network.sent(host="rosies.garden", path=SERVER_PATH)) == 1
