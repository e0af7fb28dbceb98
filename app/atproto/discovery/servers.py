"""Server discovery: from a PDS or a server URL to its authorization server.

Fetches the two well-known documents (RFC 9728 and RFC 8414), validates them with
`discovery/server_metadata.py`, and caches what passed for a few minutes. The well-known
paths are at the root of the origin: ATProto issuers have no path (requirement 2.5).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import DocumentInvalid, HostFailing, HostUnreachable, HostWithoutOAuth
from ..syntax.grammar import host_of
from .server_metadata import (
    AuthorizationServer,
    ProtectedResource,
    parse_protected_resource,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..http.types import HTTP, Deadline, Response
    from ..http.url_policy import NetworkPolicy
    from ..stores.protocols import Cache
    from ..syntax.grammar import Origin

FRESH_FOR = 300.0
"""Seconds for which a document is cached: half of what requirements 1.28 and 2.13
allow, so that what was verified at the start of a login is fresh at its callback."""

DOCUMENT_LIMIT = 100_000
"""Bytes of a metadata document (requirement 9.4)."""

PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLocation:
    """An authorization server, and when a host was last seen to point to it."""

    server: AuthorizationServer
    verified_at: float
    """Epoch seconds of the oldest document that this rests on."""
    pds: Origin | None = None
    """The PDS that trusts it; None when the authorization server itself was named."""
    did: ClassVar[None] = None
    handle: ClassVar[None] = None

    @property
    def resource(self) -> ProtectedResource | None:
        """Return the validated metadata of the PDS, if there is one."""
        if self.pds is None:
            return None
        return ProtectedResource(
            resource=self.pds, authorization_server=self.server.issuer
        )


class ServerDiscovery:
    """Finds and validates authorization servers (requirements 2.1 to 2.14).

    `before_host` is called with each host whose document is fetched for a login, and
    may refuse by raising: any DID document may name any host (requirement 9.6).
    """

    def __init__(
        self,
        *,
        http: HTTP,
        cache: Cache,
        clock: Callable[[], float],
        policy: NetworkPolicy,
        before_host: Callable[[str], None] = lambda _host: None,
    ) -> None:
        self._http = http
        self._cache = cache
        self._clock = clock
        self._policy = policy
        self._before_host = before_host

    def from_pds(
        self, pds: Origin, *, deadline: Deadline, fresh: bool = False
    ) -> ServerLocation:
        """Return the one authorization server that this PDS trusts.

        `fresh` reads no cache (requirement 6.14); the result is cached all the same.

        Raises:
            HostWithoutOAuth: the PDS publishes no metadata (requirement 2.12).
            ServerInvalid: a document breaks the profile.
            HostUnreachable: there was no usable answer.
        """
        document, seen_at = self._document(
            pds, PROTECTED_RESOURCE, deadline=deadline, fresh=fresh
        )
        resource = parse_protected_resource(document, origin=pds, policy=self._policy)
        issuer = resource.authorization_server
        self._remember(pds, PROTECTED_RESOURCE, document=document, seen_at=seen_at)
        found = self._issuer(issuer, deadline=deadline, fresh=fresh)
        found.server.require_protected_resource(pds)
        return ServerLocation(
            server=found.server,
            verified_at=min(seen_at, found.verified_at),
            pds=pds,
        )

    def from_server(self, origin: Origin, *, deadline: Deadline) -> ServerLocation:
        """Return the authorization server for a typed server URL (requirement 2.10).

        The URL is tried as a PDS first, then as an authorization server.

        Raises:
            HostWithoutOAuth: it is neither.
            ServerInvalid: a document breaks the profile.
            HostUnreachable: there was no usable answer.
        """
        try:
            return self.from_pds(origin, deadline=deadline)
        except (HostWithoutOAuth, DocumentInvalid) as no_resource:
            try:
                return self._issuer(origin, deadline=deadline, fresh=False)
            except HostWithoutOAuth:
                raise no_resource from None

    def forget(self, pds: Origin, issuer: str | None = None) -> None:
        """Drop what is cached of a PDS and its issuer (requirement 1.29)."""
        self._cache.delete(_key(pds, PROTECTED_RESOURCE))
        if issuer is not None:
            self._cache.delete(_key(issuer, AUTHORIZATION_SERVER))

    def _issuer(
        self, issuer: Origin, *, deadline: Deadline, fresh: bool
    ) -> ServerLocation:
        document, seen_at = self._document(
            issuer, AUTHORIZATION_SERVER, deadline=deadline, fresh=fresh
        )
        server = AuthorizationServer.parse(document, issuer, self._policy)
        self._remember(issuer, AUTHORIZATION_SERVER, document=document, seen_at=seen_at)
        return ServerLocation(server=server, verified_at=seen_at)

    def _document(
        self, origin: str, path: str, *, deadline: Deadline, fresh: bool
    ) -> tuple[Mapping[str, Any], float]:
        kept = None if fresh else self._cache.get(_key(origin, path))
        if kept is not None:
            entry = json.loads(kept)
            return entry["document"], entry["seen_at"]
        if not fresh:  # a verification belongs to a login that was counted already
            self._before_host(host_of(origin))
        seen_at = self._clock()
        response = self._http.request(
            "GET",
            origin + path,
            headers={"Accept": "application/json"},
            deadline=deadline,
            limit=DOCUMENT_LIMIT,
        )
        return read_document(response), seen_at

    def _remember(
        self, origin: str, path: str, *, document: Mapping[str, Any], seen_at: float
    ) -> None:
        lifetime = seen_at + FRESH_FOR - self._clock()
        entry = json.dumps({"document": document, "seen_at": seen_at})
        self._cache.put(_key(origin, path), entry, lifetime=lifetime)


def read_document(response: Response) -> dict[str, Any]:
    """Return the metadata document of a response (requirements 2.1 and 2.5).

    Raises:
        HostWithoutOAuth: the host answered 404.
        HostFailing: 5xx or 429: try later.
        HostUnreachable: a firewall answered for the host: try later.
        DocumentInvalid: another status, another content type, or no JSON object.
    """
    host = host_of(response.url)
    if response.status == 404:
        raise HostWithoutOAuth(host)
    if response.status == 429 or response.status >= 500:
        raise HostFailing(host, response.status, headers=response.headers)
    if response.is_firewall_page:
        raise HostUnreachable(host, "a firewall's page answered", sent=True)
    if response.status != 200:
        raise DocumentInvalid(host, f"metadata answered {response.status}")
    if response.content_type != "application/json":
        raise DocumentInvalid(host, f"metadata is {response.content_type!r}")
    return response.json_object()


def _key(origin: str, path: str) -> str:
    return f"document:{origin}{path}"
