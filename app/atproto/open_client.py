"""From parts to a client: who hands what to whom.

Nothing is contacted here. Whoever wants other parts builds an `OAuthClient` by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .client import OAuthClient
from .client_metadata.builders import ClientMetadata
from .crypto.keys import ClientKeys
from .discovery.accounts import Discovery
from .discovery.servers import ServerDiscovery
from .http.url_policy import NetworkPolicy
from .identity.dns import DnsTxtLookup
from .identity.resolver import IdentityResolver
from .oauth.dpop import DPoPSender
from .oauth.issuer_verification import EvidenceCollector
from .oauth.server import ServerAgent
from .stores.memory import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http.types import HTTP
    from .identity.dns import TxtLookup
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
    plc_url: str = PLC_DIRECTORY,
    before_host: Callable[[str], None] = lambda _host: None,
) -> OAuthClient:
    """Return an OAuth client; one serves all threads.

    `metadata` says who the client is, `keys` what it authenticates with: None for a
    public client. Where they change while the program runs, give functions. `clock`
    returns the time in epoch seconds.

    Left out, `txt` asks the system's name servers and `cache` is this process's own
    memory. `policy` is the one that `http` was made with. `before_host` may refuse a
    host that somebody else chose, for a limit on requests.
    """
    cache = MemoryCache(clock) if cache is None else cache
    discovery = open_discovery(
        http=http,
        clock=clock,
        txt=txt,
        cache=cache,
        policy=policy,
        plc_url=plc_url,
        before_host=before_host,
    )
    sender = DPoPSender(http=http, cache=cache, clock=clock)
    return OAuthClient(
        metadata=_asked(metadata),
        keys=None if keys is None else _asked(keys),
        states=states,
        sessions=sessions,
        evidence=EvidenceCollector(
            identities=discovery.identities, servers=discovery.servers, clock=clock
        ),
        agent=ServerAgent(sender, before_host=before_host),
        sender=sender,
        clock=clock,
    )


def open_discovery(
    *,
    http: HTTP,
    clock: Callable[[], float],
    txt: TxtLookup | None = None,
    cache: Cache | None = None,
    policy: NetworkPolicy | None = None,
    plc_url: str = PLC_DIRECTORY,
    before_host: Callable[[str], None] = lambda _host: None,
) -> Discovery:
    """Return discovery alone; its arguments are those of `open_client`."""
    cache = MemoryCache(clock) if cache is None else cache
    policy = policy or NetworkPolicy()
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
        # Counted apart: a host is asked for documents once in minutes, and each login
        # there is counted when it is pushed.
        before_host=lambda host: before_host(f"documents of {host}"),
    )
    return Discovery(identities=identities, servers=servers)


def _asked(given: T | Callable[[], T]) -> Callable[[], T]:
    """Return a function for what may be a value: it is asked each time."""
    return given if callable(given) else lambda: given
