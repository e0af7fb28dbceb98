"""Sessions of the library just begun: one login for each kind of library, then copies.

A copy has the session, the client's key, what the cache holds, the log of the network
and what the hosts remember.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.clock import NOON
from tests.signed import remembered, restore_memory

if TYPE_CHECKING:
    from app.atproto.crypto.keys import SigningKey
    from app.atproto.records import OAuthSession
    from tests.atproto.wired import Library


@dataclass(frozen=True, slots=True)
class Begun:
    """What a login has left behind."""

    session: OAuthSession
    keys: list[SigningKey]
    cached: dict[str, Any]
    log: list[Any]
    servers: Any


_begun: dict[tuple[object, ...], Begun] = {}


def begun(library: Library, identifier: str, **options: Any) -> OAuthSession:
    """Return a session of a library at which nothing has happened."""
    world = library.world
    assert not world.network.log
    assert world.clock() == NOON
    lifetimes = [server.token_lifetime for server in world.servers.values()]
    key = (library.scope, *lifetimes, identifier, *sorted(options.items()))
    if key in _begun:
        return _copied(_begun[key], library)
    session = library.logs_in(identifier, **options)
    _begun[key] = Begun(
        session=session,
        keys=list(library.keys),
        cached=dict(library.cache._entries),
        log=list(world.network.log),
        servers=remembered(world),
    )
    return session


def _copied(left: Begun, library: Library) -> OAuthSession:
    library.keys[:] = left.keys
    for name, entry in left.cached.items():
        library.cache.put(name, entry.value, lifetime=entry.expires_at - NOON)
    library.sessions.put(left.session)
    library.world.network.log.extend(left.log)
    restore_memory(library.world, left.servers)
    return left.session
