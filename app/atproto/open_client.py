"""open_client: builds an OAuthClient, or a Discovery, from its parts.

Sends nothing. To use other parts, construct `OAuthClient` directly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from .client import OAuthClient
from .client_metadata.builders import ClientMetadata
from .crypto.keys import ClientKeys
from .discovery.accounts import Discovery
from .discovery.servers import ServerDiscovery
from .events import Observer, ignore
from .http.observed import ObservedHTTP
from .http.types import HTTP
from .http.url_policy import NetworkPolicy
from .identity.dns import DnsTxtLookup, TxtLookup
from .identity.resolver import IdentityResolver
from .oauth.dpop import DPoPSender
from .oauth.server import ServerAgent
from .stores.memory import MemoryCache
from .stores.protocols import Cache, SessionStore, StateStore

T = TypeVar("T", ClientMetadata, ClientKeys)

PLC_DIRECTORY = "https://plc.directory"


def open_client(
    *,
    metadata: ClientMetadata | Callable[[], ClientMetadata],
    keys: ClientKeys | Callable[[], ClientKeys] | None = None,
    states: StateStore,
    sessions: SessionStore,
    http: HTTP,
    clock: Callable[[], float],
    txt: TxtLookup | None = None,
    cache: Cache | None = None,
    policy: NetworkPolicy | None = None,
    own_origin: str | None = None,
    plc_url: str = PLC_DIRECTORY,
    before_host: Callable[[str], None] = lambda _host: None,
    observe: Observer = ignore,
) -> OAuthClient:
    """Return an OAuth client; one instance may be used by all threads.

    `metadata` describes the client and `keys` are its client keys: None for a public
    client. Give functions where they change while the program runs. `clock` returns
    the time in epoch seconds.

    The default of `txt` asks the system's name servers, the default of `cache` is the
    memory of this process. `policy` is the one that `http` was made with. `own_origin`
    is where a web client itself is served: no issuer, endpoint or PDS may be there.
    `before_host`
    is called with each host that an identifier makes us ask, and may raise to refuse
    it, for a limit on requests. `observe` is called with the events of `events.py`, for
    a log and for metrics.
    """
    cache = MemoryCache(clock) if cache is None else cache
    discovery = open_discovery(
        http=http,
        clock=clock,
        txt=txt,
        cache=cache,
        policy=policy,
        own_origin=own_origin,
        plc_url=plc_url,
        before_host=before_host,
        observe=observe,
    )
    sender = DPoPSender(http=http, cache=cache, clock=clock, observe=observe)
    return OAuthClient(
        metadata=_as_function(metadata),
        keys=None if keys is None else _as_function(keys),
        states=states,
        sessions=sessions,
        discovery=discovery,
        agent=ServerAgent(sender, before_host=before_host),
        sender=sender,
        clock=clock,
        observe=observe,
    )


def open_discovery(
    *,
    http: HTTP,
    clock: Callable[[], float],
    txt: TxtLookup | None = None,
    cache: Cache | None = None,
    policy: NetworkPolicy | None = None,
    own_origin: str | None = None,
    plc_url: str = PLC_DIRECTORY,
    before_host: Callable[[str], None] = lambda _host: None,
    observe: Observer = ignore,
) -> Discovery:
    """Return discovery alone; the arguments are those of `open_client`."""
    cache = MemoryCache(clock) if cache is None else cache
    policy = replace(policy or NetworkPolicy(), own_origin=own_origin)
    http = ObservedHTTP(http, observe)
    identities = IdentityResolver(
        http=http,
        txt=txt or DnsTxtLookup(),
        plc_url=plc_url,
        cache=cache,
        clock=clock,
        policy=policy,
        before_host=before_host,
    )
    servers = ServerDiscovery(
        http=http,
        cache=cache,
        clock=clock,
        policy=policy,
        # Counted separately: documents are fetched once in minutes, and each login is
        # counted when it is pushed.
        before_host=lambda host: before_host(f"documents of {host}"),
    )
    return Discovery(identities=identities, servers=servers)


def _as_function(given: T | Callable[[], T]) -> Callable[[], T]:
    return given if callable(given) else lambda: given
