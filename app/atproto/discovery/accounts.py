"""Discovery on its own: from what was typed to the account, its PDS and its server.

The first half of a sign-in without the sign-in. Every document on the way is judged as
if a code were to be sent there (requirements 1.1 to 1.30 and 2.1 to 2.14).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AtprotoError
from ..syntax.grammar import Did, Handle, Origin

if TYPE_CHECKING:
    from ..http.types import Deadline
    from ..identity.resolver import IdentityResolver
    from ..syntax.identifier import Identifier
    from .server_metadata import AuthorizationServer, ProtectedResource
    from .servers import ServerDiscovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where an identifier leads."""

    did: Did | None
    """None when a server was named: it speaks for many accounts."""
    handle: Handle | None
    """Verified both ways; None when the account has none that holds."""
    pds: Origin | None
    """None when the server that was named has no accounts of its own (2.10)."""
    resource: ProtectedResource | None
    """What the PDS publishes; None without one."""
    server: AuthorizationServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Finds out where an identifier leads; `open_discovery` makes one."""

    identities: IdentityResolver
    servers: ServerDiscovery

    def discover(self, identifier: Identifier, *, deadline: Deadline) -> Location:
        """Return where a handle, a DID or a server leads.

        Raises:
            AccountUnresolved: there is surely no such account, or it contradicts
                itself.
            HostUnreachable: somebody who had to be asked did not answer.
            HostWithoutOAuth: the host publishes neither of the two documents.
            ServerInvalid: an answer breaks the profile.
        """
        if identifier.kind == "server":
            return self._of_server(Origin(identifier.value), deadline)
        account = (Did if identifier.kind == "did" else Handle)(identifier.value)
        return self._of_account(account, deadline)

    def _of_server(self, origin: Origin, deadline: Deadline) -> Location:
        found = self.servers.from_server(origin, deadline=deadline)
        return Location(
            did=None,
            handle=None,
            pds=found.resource.resource if found.resource else None,
            resource=found.resource,
            server=found.server,
        )

    def _of_account(self, account: Did | Handle, deadline: Deadline) -> Location:
        identity = self.identities.resolve(account, deadline=deadline)
        try:
            found = self.servers.from_pds(identity.pds, deadline=deadline)
        except AtprotoError:
            # Perhaps the account has moved since: look again next time (1.29).
            self.identities.forget(identity.did, identity.handle)
            raise
        return Location(
            did=identity.did,
            handle=identity.handle,
            pds=identity.pds,
            resource=found.resource,
            server=found.server,
        )
