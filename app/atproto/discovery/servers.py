"""Server discovery: from a PDS or a server URL to its authorization server.

Fetches the two well-known documents (RFC 9728 and RFC 8414), validates them with
`discovery/server_metadata.py`, and caches what passed for a few minutes. The well-known
paths are at the root of the origin: ATProto issuers have no path (requirement 2.5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from ..errors import DocumentInvalid, HostFailing, HostUnreachable, HostWithoutOAuth
from ..http.turns import waiting
from ..http.types import HTTP, Deadline, Response
from ..http.url_policy import NetworkPolicy
from ..stores.protocols import Cache
from ..syntax.grammar import Origin, host_of
from .server_metadata import (
    AuthorizationServer,
    ProtectedResource,
    parse_protected_resource,
)

FRESH_FOR = 300.0
"""Seconds for which a document is cached: half of what requirements 1.28 and 2.13
allow, so that what was verified at the start of a login is fresh at its callback."""

DOCUMENT_LIMIT = 100_000
"""Bytes of a metadata document (requirement 9.4)."""

ENTRY_LIMIT = 16_000
"""Characters of a cached entry; a server with more is asked again each time."""

MAX_AHEAD = 64
"""Documents that the process fetches ahead at once; without a free thread, they are
fetched one after the other."""

PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"


Fetched = tuple[dict[str, Any], float]
"""A document and when it was asked for."""


class _Ahead(NamedTuple):
    """Metadata that is fetched before it is known to be needed."""

    issuer: Origin
    fetched: Future[Fetched]


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
        self._pool = ThreadPoolExecutor(MAX_AHEAD, thread_name_prefix="metadata")

    def from_pds(
        self,
        pds: Origin,
        *,
        deadline: Deadline,
        fresh: bool = False,
        expected: Origin | None = None,
    ) -> ServerLocation:
        """Return the one authorization server that this PDS trusts.

        `fresh` reads no cache (requirement 6.14); the result is cached all the same.
        The metadata of the PDS and of the `expected` issuer, which is the PDS itself
        for most, are fetched at the same time.

        Raises:
            HostWithoutOAuth: the PDS publishes no metadata (requirement 2.12).
            ServerInvalid: a document breaks the profile.
            HostUnreachable: there was no usable answer.
        """
        self._policy.check_url(pds)
        known = None if fresh else self._recall(pds, PROTECTED_RESOURCE)
        if known is not None:
            issuer = self._issuer(Origin(known["issuer"]), deadline=deadline)
            return _trusted(pds, issuer, known["seen_at"])
        ahead = self._fetch_ahead(expected or pds, deadline=deadline, fresh=fresh)
        return self._from_resource(pds, ahead, deadline=deadline, fresh=fresh)

    def from_server(self, origin: Origin, *, deadline: Deadline) -> ServerLocation:
        """Return the authorization server for a typed server URL (requirement 2.10).

        The URL is tried as a PDS first, then as an authorization server.

        Raises:
            HostWithoutOAuth: it is neither.
            ServerInvalid: a document breaks the profile.
            HostUnreachable: there was no usable answer.
        """
        if self._recall(origin, PROTECTED_RESOURCE) is not None:
            return self.from_pds(origin, deadline=deadline)
        self._policy.check_url(origin)
        ahead = self._fetch_ahead(origin, deadline=deadline)
        try:
            return self._from_resource(origin, ahead, deadline=deadline)
        except (HostWithoutOAuth, DocumentInvalid) as no_resource:
            try:
                return self._issuer(origin, deadline=deadline, ahead=ahead)
            except HostWithoutOAuth:
                raise no_resource from None

    def forget(self, pds: Origin, issuer: str | None = None) -> None:
        """Drop what is cached of a PDS and its issuer (requirement 1.29)."""
        self._cache.delete(_key(pds, PROTECTED_RESOURCE))
        if issuer is not None:
            self._cache.delete(_key(issuer, AUTHORIZATION_SERVER))

    def _from_resource(
        self,
        pds: Origin,
        ahead: _Ahead | None,
        *,
        deadline: Deadline,
        fresh: bool = False,
    ) -> ServerLocation:
        """Fetch the metadata of a PDS, and that of its issuer."""
        document, seen_at = self._document(
            pds, PROTECTED_RESOURCE, deadline=deadline, fresh=fresh
        )
        resource = parse_protected_resource(document, origin=pds, policy=self._policy)
        issuer = resource.authorization_server
        self._remember(pds, PROTECTED_RESOURCE, {"issuer": issuer}, seen_at=seen_at)
        found = self._issuer(issuer, deadline=deadline, fresh=fresh, ahead=ahead)
        return _trusted(pds, found, seen_at)

    def _issuer(
        self,
        issuer: Origin,
        *,
        deadline: Deadline,
        fresh: bool = False,
        ahead: _Ahead | None = None,
    ) -> ServerLocation:
        known = None if fresh else self._recall(issuer, AUTHORIZATION_SERVER)
        if known is not None:
            server = AuthorizationServer.restore(known["server"])
            return ServerLocation(server=server, verified_at=known["seen_at"])
        if ahead is not None and ahead.issuer == issuer and not ahead.fetched.cancel():
            with waiting():
                document, seen_at = ahead.fetched.result()
        else:
            document, seen_at = self._document(
                issuer, AUTHORIZATION_SERVER, deadline=deadline, fresh=fresh
            )
        server = AuthorizationServer.parse(document, issuer, self._policy)
        kept = {"server": server.document()}
        self._remember(issuer, AUTHORIZATION_SERVER, kept, seen_at=seen_at)
        return ServerLocation(server=server, verified_at=seen_at)

    def _fetch_ahead(
        self, issuer: Origin, *, deadline: Deadline, fresh: bool = False
    ) -> _Ahead | None:
        """Begin to fetch the metadata of the issuer that a PDS is expected to trust."""
        if not fresh and self._recall(issuer, AUTHORIZATION_SERVER) is not None:
            return None
        # In a copy of the context, by which `before_host` may know who asks.
        fetched = self._pool.submit(
            copy_context().run,
            self._document,
            issuer,
            AUTHORIZATION_SERVER,
            deadline=deadline,
            fresh=fresh,
        )
        return _Ahead(issuer, fetched)

    def _document(
        self, origin: str, path: str, *, deadline: Deadline, fresh: bool
    ) -> Fetched:
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

    def _recall(self, origin: str, path: str) -> dict[str, Any] | None:
        """Return what is cached of a document, if it is what this version caches."""
        entry = self._cache.get(_key(origin, path))
        kept = None if entry is None else json.loads(entry)
        field = "issuer" if path == PROTECTED_RESOURCE else "server"
        return kept if isinstance(kept, dict) and field in kept else None

    def _remember(
        self, origin: str, path: str, kept: Mapping[str, Any], *, seen_at: float
    ) -> None:
        """Cache what was validated, and nothing else of a document."""
        lifetime = seen_at + FRESH_FOR - self._clock()
        entry = json.dumps({**kept, "seen_at": seen_at})
        if len(entry) <= ENTRY_LIMIT:
            self._cache.put(_key(origin, path), entry, lifetime=lifetime)


def _trusted(pds: Origin, issuer: ServerLocation, seen_at: float) -> ServerLocation:
    """Return an issuer as the one that a PDS trusts (requirement 2.9)."""
    issuer.server.require_protected_resource(pds)
    return replace(issuer, pds=pds, verified_at=min(seen_at, issuer.verified_at))


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
    # Release 0.1.0 keeps whole documents, as `document:`, maybe in the same cache.
    return f"metadata:{origin}{path}"
