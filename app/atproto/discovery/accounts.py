"""Discovery: from a handle, a DID or a server to its authorization server.

The first half of a sign-in, usable alone. Each document on the way passes the same
checks as in a sign-in (requirements 1.1 to 1.30 and 2.1 to 2.14).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import AtprotoError
from ..http.types import Deadline
from ..identity.resolver import Identity, IdentityResolver
from ..syntax.grammar import Did, Handle, Origin
from ..syntax.identifier import Identifier, ServerIdentifier
from .server_metadata import AuthorizationServer, ProtectedResource
from .servers import ServerDiscovery, ServerLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLocation:
    """An account, its PDS, and the authorization server that this PDS trusts."""

    did: Did
    handle: Handle | None
    """Verified in both directions; None when the account has no such handle."""
    pds: Origin
    server: AuthorizationServer
    verified_at: float
    """Epoch seconds of the oldest document that this rests on."""

    @property
    def resource(self) -> ProtectedResource:
        """Return the validated metadata of the PDS."""
        return ProtectedResource(
            resource=self.pds, authorization_server=self.server.issuer
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Finds where identifiers lead; `open_discovery` makes one."""

    identities: IdentityResolver
    servers: ServerDiscovery

    def discover(
        self, identifier: Identifier, *, deadline: Deadline
    ) -> AccountLocation | ServerLocation:
        """Return where a handle or a DID leads, or a server.

        Raises:
            AccountUnresolved: the account does not exist, or its handle and its DID
                document disagree.
            HostUnreachable: a host on the way did not answer.
            HostWithoutOAuth: the host publishes neither of the two documents.
            ServerInvalid: an answer breaks the profile.
        """
        if isinstance(identifier, ServerIdentifier):
            return self.servers.from_server(identifier.value, deadline=deadline)
        return self.locate(identifier.value, deadline=deadline)

    def locate(
        self,
        account: Did | Handle,
        *,
        deadline: Deadline,
        expected: Origin | None = None,
    ) -> AccountLocation:
        """Return where an account lives.

        With an `expected` issuer no cache is read (requirement 6.14). Raises what
        `discover` raises.
        """
        fresh = expected is not None
        identity = self.identities.resolve(account, deadline=deadline, fresh=fresh)
        return self._of(identity, deadline=deadline, expected=expected)

    def relocate(
        self, did: Did, handle: Handle | None, *, deadline: Deadline, expected: Origin
    ) -> AccountLocation:
        """Return where the account of a session lives now, without caches.

        The handle is not verified again (requirement 7.15). Raises what `discover`
        raises.
        """
        identity = self.identities.relocate(did, handle, deadline=deadline)
        return self._of(identity, deadline=deadline, expected=expected)

    def forget(self, account: AccountLocation) -> None:
        """Drop what the caches hold about an account (requirement 1.29)."""
        self.identities.forget(account.did, account.handle)
        self.servers.forget(account.pds, account.server.issuer)

    def _of(
        self, identity: Identity, *, deadline: Deadline, expected: Origin | None
    ) -> AccountLocation:
        try:
            found = self.servers.from_pds(
                identity.pds,
                deadline=deadline,
                fresh=expected is not None,
                expected=expected,
            )
        except AtprotoError:
            # The account may have moved to another PDS since it was cached.
            self.identities.forget(identity.did, identity.handle)
            raise
        return AccountLocation(
            did=identity.did,
            handle=identity.handle,
            pds=identity.pds,
            server=found.server,
            verified_at=min(identity.resolved_at, found.verified_at),
        )
