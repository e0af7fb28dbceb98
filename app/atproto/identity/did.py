"""DID resolution: fetches a DID document and reads the handle and the PDS from it.

Where a document has several handles or services, the rules of the specification choose
(the first valid handle, the first matching service; requirements 1.23 to 1.27), so that
all clients see the same account in one document.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import (
    AccountNotFound,
    DocumentInvalid,
    HostCircuitOpen,
    HostFailing,
    HostUnreachable,
    IdentifierInvalid,
)
from ..http.types import HTTP, Deadline, Response
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

log = logging.getLogger(__name__)

DOCUMENT_LIMIT: Final = 100_000
"""Bytes of a DID document (requirement 9.4)."""

PDS_TYPE: Final = "AtprotoPersonalDataServer"


@dataclass(frozen=True, slots=True, kw_only=True)
class DidDocument:
    """The parts of a DID document that a login needs."""

    did: Did
    claimed_handle: Handle | None
    """Not verified: a document may claim any handle (requirement 1.21)."""
    pds: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class DidResolver:
    """Fetches DID documents, from the PLC directory or from the host of a did:web.

    `before_host` is called with the host of a did:web, which any identifier may name,
    and may refuse by raising (requirement 9.6).
    """

    http: HTTP
    plc_url: str
    before_host: Callable[[str], None]
    allow_http: bool

    def resolve(
        self, did: Did, *, deadline: Deadline, counted: str | None = None
    ) -> DidDocument:
        """Return the document of a DID (requirements 1.10, 1.23 and 1.24).

        `counted` is a host for which `before_host` was called already in this login.

        Raises:
            AccountNotFound: its directory answered 404 or 410.
            HostUnreachable: the directory gave no answer; the account may exist.
            DocumentInvalid: the document cannot be used for a login.
        """
        url = self._url(did)
        host = host_of(url)
        if did.startswith("did:web:") and host != counted:
            self.before_host(host)
        try:
            response = self._fetch(url, deadline)
        except HostUnreachable as error:
            error.is_directory = did.startswith("did:plc:")
            self._warn_of_outage(error)
            raise
        if response.status in {404, 410}:
            raise AccountNotFound(did)
        document = response.json_object()
        return parse_did_document(
            document, did=did, host=host, allow_http=self.allow_http
        )

    def _fetch(self, url: str, deadline: Deadline) -> Response:
        response = self.http.request(
            "GET",
            url,
            headers={"Accept": "application/did+ld+json, application/json"},
            deadline=deadline,
            limit=DOCUMENT_LIMIT,
        )
        if response.status not in {404, 410}:
            require_success(response)
        return response

    def _warn_of_outage(self, error: HostUnreachable) -> None:
        """Log an outage of the PLC directory: it concerns nearly every account."""
        if error.is_directory and not isinstance(error, HostCircuitOpen):
            log.warning(
                "the PLC directory does not answer, so accounts with a did:plc cannot "
                "sign in: %s",
                error,
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
    """Return for a 2xx status, and raise for any other.

    Raises:
        HostFailing: 5xx or 429: try later.
        HostUnreachable: another status: our question was not answered.
    """
    if 200 <= response.status < 300:
        return
    host = host_of(response.url)
    if response.status == 429 or response.status >= 500:
        raise HostFailing(host, response.status, headers=response.headers)
    raise HostUnreachable(host, f"answered {response.status}", sent=True)


def _claimed_handle(names: object) -> Handle | None:
    """Return the first well-formed handle (requirement 1.25)."""
    for name in names if isinstance(names, list) else []:
        if isinstance(name, str) and name.startswith("at://") and is_handle(name[5:]):
            return parse_handle(name[5:])
    return None


def _pds_endpoint(services: object, did: Did) -> str | None:
    """Return the endpoint of the first entry that is a PDS (requirement 1.26)."""
    for service in services if isinstance(services, list) else []:
        match service:
            case {"id": name, "type": kind, "serviceEndpoint": str(endpoint)} if (
                name in ("#atproto_pds", f"{did}#atproto_pds") and kind == PDS_TYPE
            ):
                return endpoint
    return None
