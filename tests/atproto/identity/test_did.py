"""What DID documents say, and where they come from (requirements 1.10, 1.23 to
1.27).
"""

from __future__ import annotations

from typing import Any

import pytest

from app.atproto.errors import (
    AccountNotFound,
    DocumentInvalid,
    HostFailing,
    HostUnreachable,
    ResponseTooLarge,
)
from app.atproto.http.client import SafeHTTP
from app.atproto.http.types import Deadline
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.identity.did import DidResolver, parse_did_document
from app.atproto.syntax.grammar import Did
from tests.fakes import faults
from tests.fakes.directory import did_document
from tests.fakes.world import World, plc_did

DID = Did(plc_did("alice"))
WEB = Did("did:web:carol.dev")
PDS = "https://pds.skyhost.social"
PLC_DOCUMENT = f"https://plc.directory/{DID}"


def document(**changed: object) -> dict[str, Any]:
    return did_document(DID, handle="alice.skyhost.social", pds=PDS) | changed


def parse(**changed: object) -> Any:
    return parse_did_document(document(**changed), did=DID, host="plc.directory")


def service(**changed: object) -> dict[str, object]:
    (entry,) = document()["service"]
    return {**entry, **changed}


# --- the document -----------------------------------------------------------------


def test_a_document_names_handle_and_pds() -> None:
    parsed = parse()

    assert (parsed.did, parsed.pds) == (DID, PDS)
    assert parsed.claimed_handle == "alice.skyhost.social"


@pytest.mark.parametrize("name", [DID + "x", DID.upper(), DID + "\n", None, 7, [DID]])
def test_the_document_of_another_did_is_refused(name: object) -> None:
    """Requirement 1.23: byte for byte."""
    with pytest.raises(DocumentInvalid):
        parse(id=name)


@pytest.mark.parametrize(
    ("names", "handle"),
    [
        (["https://x", "at://bad_handle", "at://ok.skyhost.social"], "ok"),
        (["at://ok.skyhost.social", "at://other.skyhost.social"], "ok"),
        (["at://OK.SkyHost.Social"], "ok"),
        (["at://x.skyhost.social/profile", "at://ok.skyhost.social"], "ok"),
        (["at://x.skyhost.social/", "at://ok.skyhost.social"], "ok"),
        (["at://u@x.skyhost.social", "at://ok.skyhost.social"], "ok"),
        ([7, None, {}, "at://ok.skyhost.social"], "ok"),
        (["ok.skyhost.social"], None),
        (["at://"], None),
        (["at://did:plc:abc"], None),
        ([], None),
        (None, None),
        ("at://ok.skyhost.social", None),
        ({"at://ok.skyhost.social": 1}, None),
    ],
)
def test_the_claimed_handle_is_the_first_well_formed_one(
    names: object, handle: str | None
) -> None:
    """Requirement 1.25: the rest is ignored, even if the first fails to resolve."""
    expected = handle and f"{handle}.skyhost.social"

    assert parse(alsoKnownAs=names).claimed_handle == expected


@pytest.mark.parametrize("name", ["#atproto_pds", f"{DID}#atproto_pds"])
def test_both_spellings_of_the_service_id_are_known(name: str) -> None:
    """Requirement 1.26."""
    assert parse(service=[service(id=name)]).pds == PDS


@pytest.mark.parametrize(
    "services",
    [
        [],
        None,
        {},
        "x",
        [7, None],
        [service(id=f"{plc_did('evil')}#atproto_pds")],
        [service(id="evil#atproto_pds")],
        [service(id="#atproto_pds2")],
        [service(id="atproto_pds")],
        [service(type="SomethingElse")],
        [service(type=None)],
        [service(serviceEndpoint={"uri": PDS})],
        [service(serviceEndpoint=[PDS])],
        [service(serviceEndpoint=None)],
    ],
)
def test_a_document_without_a_pds_is_refused(services: object) -> None:
    """Requirement 1.26."""
    with pytest.raises(DocumentInvalid, match="no PDS"):
        parse(service=services)


def test_the_first_of_two_pds_entries_counts() -> None:
    second = service(serviceEndpoint="https://pds.other.social")

    assert parse(service=[service(), second]).pds == PDS
    assert parse(service=[service(type="Other"), second]).pds == (
        "https://pds.other.social"
    )


@pytest.mark.parametrize("endpoint", [f"{PDS}/", f"{PDS}:443", PDS.upper()])
def test_a_pds_is_normalised_to_its_origin(endpoint: str) -> None:
    """Requirement 1.27."""
    assert parse(service=[service(serviceEndpoint=endpoint)]).pds == PDS


@pytest.mark.parametrize(
    "endpoint",
    [
        f"{PDS}/x",
        f"{PDS}?x=1",
        f"{PDS}#x",
        "https://u@pds.skyhost.social",
        "http://pds.skyhost.social",
        "https://127.0.0.1",
        "https://localhost",
        "",
        "pds.skyhost.social",
    ],
)
def test_a_pds_that_is_no_public_origin_is_refused(endpoint: str) -> None:
    """Requirement 1.27."""
    with pytest.raises(DocumentInvalid, match="the PDS of"):
        parse(service=[service(serviceEndpoint=endpoint)])


def test_a_test_network_has_its_pds_anywhere() -> None:
    entry = service(serviceEndpoint="http://localhost:2583")

    parsed = parse_did_document(
        document(service=[entry]), did=DID, host="localhost", allow_http=True
    )

    assert parsed.pds == "http://localhost:2583"


# --- where it comes from ------------------------------------------------------------


class Directory:
    """A resolver on the fake network, which counts the hosts it is told of."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counted: list[str] = []
        self.resolver = DidResolver(
            http=SafeHTTP(
                policy=NetworkPolicy(),
                user_agent="Latchkey/test (+https://auth.platform.cafe)",
                adapter=world.network,
                monotonic=world.clock.monotonic,
            ),
            plc_url="https://plc.directory/",
            before_host=self.counted.append,
            allow_http=False,
        )
        world.plc.documents[DID] = document()
        world.home("carol.dev").document = did_document(WEB, handle=None, pds=PDS)

    def resolve(self, did: Did = DID, **options: Any) -> Any:
        deadline = Deadline.after(9.0, self.world.clock.monotonic)
        return self.resolver.resolve(did, deadline=deadline, **options)


@pytest.fixture
def directory(world: World) -> Directory:
    return Directory(world)


def test_a_did_plc_is_asked_of_the_directory(directory: Directory) -> None:
    """Requirement 1.24."""
    assert directory.resolve().pds == PDS

    (sent,) = directory.world.network.sent()
    assert sent.url == PLC_DOCUMENT
    assert sent.headers["Accept"] == "application/did+ld+json, application/json"
    assert directory.counted == []


def test_a_did_web_is_asked_of_its_own_host(directory: Directory) -> None:
    """Requirement 1.10; and that host is counted, because a stranger chose it
    (requirement 9.6).
    """
    assert directory.resolve(WEB).pds == PDS

    (sent,) = directory.world.network.sent()
    assert sent.url == "https://carol.dev/.well-known/did.json"
    assert directory.counted == ["carol.dev"]


def test_a_host_is_not_counted_twice_for_one_login(directory: Directory) -> None:
    directory.resolve(WEB, counted="carol.dev")

    assert directory.counted == []


@pytest.mark.parametrize("status", [404, 410])
def test_did_unknown_to_its_directory_raises_account_not_found(
    directory: Directory, status: int
) -> None:
    """Requirement 1.24: never registered, or buried."""
    directory.world.network.lay(PLC_DOCUMENT, faults.Says(status, b"{}"))

    with pytest.raises(AccountNotFound) as failure:
        directory.resolve()

    assert failure.value.did == DID


def test_a_did_web_without_a_document_does_not_exist(directory: Directory) -> None:
    directory.world.home("carol.dev").document = None

    with pytest.raises(AccountNotFound):
        directory.resolve(WEB)


@pytest.mark.parametrize("did", [DID, WEB])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_did_lookup_with_failing_directory_raises_host_failing(
    directory: Directory, did: Did, status: int
) -> None:
    """Requirement 1.24."""
    url = PLC_DOCUMENT if did == DID else "https://carol.dev/.well-known/did.json"
    directory.world.network.lay(url, faults.Says(status, b"<html>"))

    with pytest.raises(HostFailing) as failure:
        directory.resolve(did)

    assert failure.value.status == status


@pytest.mark.parametrize(
    "fault",
    [
        faults.redirect("https://elsewhere.dev/"),
        faults.Says(403, b"{}"),
        faults.Refuses(),
        faults.DropsAnswer(),
    ],
    ids=["redirect", "403", "refused", "dropped"],
)
def test_did_lookup_without_an_answer_raises_host_unreachable(
    directory: Directory, fault: Any
) -> None:
    """Requirement 1.24: redirects are not followed."""
    directory.world.network.lay(PLC_DOCUMENT, fault)

    with pytest.raises(HostUnreachable):
        directory.resolve()

    assert {sent.host for sent in directory.world.network.sent()} == {"plc.directory"}


def test_outage_of_the_plc_directory_is_a_warning(
    directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    directory.world.network.lay(PLC_DOCUMENT, faults.Says(503, b""))

    with pytest.raises(HostUnreachable):
        directory.resolve()

    (warning,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert "the PLC directory does not answer" in warning.getMessage()


def test_outage_of_the_host_of_a_did_web_is_no_warning(
    directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    """Any stranger may have such a host: it must not ring a pager."""
    url = "https://carol.dev/.well-known/did.json"
    directory.world.network.lay(url, faults.Says(503, b""))

    with pytest.raises(HostUnreachable):
        directory.resolve(WEB)

    assert caplog.records == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b'"did"', b"{", b""])
def test_a_document_that_is_no_json_object_is_refused(
    directory: Directory, body: bytes
) -> None:
    directory.world.network.lay(PLC_DOCUMENT, faults.Says(200, body))

    with pytest.raises(DocumentInvalid):
        directory.resolve()


def test_did_document_over_the_limit_raises_response_too_large(
    directory: Directory,
) -> None:
    """Requirement 9.4."""
    directory.world.network.lay(PLC_DOCUMENT, faults.Swells(100_001))

    with pytest.raises(ResponseTooLarge):
        directory.resolve()
