"""From a DID to its document, and what the document says of the account.

Reads documents by the rules that the specification gives for disagreement (the first
valid handle, the first matching service; requirements 1.23 to 1.27), so that no two
clients see two different accounts in one document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import (
    AccountNotFound,
    DocumentInvalid,
    HostFailing,
    HostUnreachable,
    IdentifierInvalid,
)
from ..syntax.grammar import (
    Did,
    Handle,
    Origin,
    did_web_origin,
    host_of,
    is_handle,
    parse_handle,
    parse_origin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..http.types import HTTP, Deadline, Response

DOCUMENT_LIMIT: Final = 100_000
"""Bytes of a DID document (requirement 9.4)."""

PDS_TYPE: Final = "AtprotoPersonalDataServer"


@dataclass(frozen=True, slots=True, kw_only=True)
class DidDocument:
    """The parts of a DID document that a login depends on."""

    did: Did
    claimed_handle: Handle | None
    """Proves nothing by itself: anybody may claim any handle (requirement 1.21)."""
    pds: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class DidResolver:
    """Fetches DID documents, from the PLC directory or from a did:web's own host.

    `before_host` hears of a did:web's host, which a stranger chose, and may refuse by
    raising (requirement 9.6).
    """

    http: HTTP
    plc_url: str
    before_host: Callable[[str], None]
    allow_http: bool

    def resolve(
        self, did: Did, *, deadline: Deadline, counted: str | None = None
    ) -> DidDocument:
        """Return the document of a DID (requirements 1.10, 1.23 and 1.24).

        `counted` is a host that `before_host` has heard of for this login.

        Raises:
            AccountNotFound: its directory says that there is no such account.
            HostUnreachable: the directory did not say; never "gone".
            DocumentInvalid: not a document that a login can go by.
        """
        url = self._url(did)
        host = host_of(url)
        if did.startswith("did:web:") and host != counted:
            self.before_host(host)
        response = self.http.request(
            "GET",
            url,
            headers={"Accept": "application/did+ld+json, application/json"},
            deadline=deadline,
            limit=DOCUMENT_LIMIT,
        )
        if response.status in {404, 410}:
            raise AccountNotFound(did)
        require_success(response)
        document = response.json_object()
        return parse_did_document(
            document, did=did, host=host, allow_http=self.allow_http
        )

    def _url(self, did: Did) -> str:
        if did.startswith("did:web:"):
            return f"{did_web_origin(did)}/.well-known/did.json"
        return f"{self.plc_url.rstrip('/')}/{did}"


def parse_did_document(
    document: Mapping[str, Any], *, did: Did, host: str, allow_http: bool = False
) -> DidDocument:
    """Read the document of `did`, which `host` served.

    Raises:
        DocumentInvalid: the document of another DID, or one without a PDS that is a
            bare https origin.
    """
    if document.get("id") != did:
        raise DocumentInvalid(host, f"not the document of {did}")
    endpoint = _pds_endpoint(document.get("service"), did)
    if endpoint is None:
        raise DocumentInvalid(host, f"{did} names no PDS")
    try:
        pds = parse_origin(endpoint, allow_http=allow_http)
    except IdentifierInvalid as error:
        raise DocumentInvalid(host, f"the PDS of {did}: {error}") from error
    return DidDocument(
        did=did, claimed_handle=_claimed_handle(document.get("alsoKnownAs")), pds=pds
    )


def require_success(response: Response) -> None:
    """Let a 2xx pass; say of anything else whose fault it is.

    Raises:
        HostFailing: 5xx or 429: try later.
        HostUnreachable: another status: the host said nothing to our question.
    """
    if 200 <= response.status < 300:
        return
    host = host_of(response.url)
    if response.status == 429 or response.status >= 500:
        raise HostFailing(host, response.status, headers=response.headers)
    raise HostUnreachable(host, f"answered {response.status}", sent=True)


def _claimed_handle(names: object) -> Handle | None:
    """Return the first well-formed handle, whatever comes of it (1.25)."""
    for name in names if isinstance(names, list) else []:
        if isinstance(name, str) and name.startswith("at://") and is_handle(name[5:]):
            return parse_handle(name[5:])
    return None


def _pds_endpoint(services: object, did: Did) -> str | None:
    """Return the endpoint of the first entry that is a PDS (1.26)."""
    for service in services if isinstance(services, list) else []:
        match service:
            case {"id": name, "type": kind, "serviceEndpoint": str(endpoint)} if (
                name in ("#atproto_pds", f"{did}#atproto_pds") and kind == PDS_TYPE
            ):
                return endpoint
    return None
