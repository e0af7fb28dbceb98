"""Proof that an account's own PDS points to the issuer that speaks for it.

Any authorization server can claim any DID. Only the chain DID document -> PDS ->
protected resource -> issuer says who may (requirements 6.12 to 6.14); it is looked at
when a login begins, and again, without caches, when what was seen then has grown old.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AtprotoError, IssuerMismatch
from ..syntax.grammar import Did, Handle, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..discovery.server_metadata import AuthorizationServer
    from ..discovery.servers import ServerDiscovery
    from ..http.types import Deadline
    from ..identity.resolver import IdentityResolver
    from ..records import AuthRequest, OAuthSession
    from ..syntax.identifier import Identifier

EVIDENCE_LIFETIME = 600.0
"""Seconds for which evidence serves to make a session (requirements 1.28 and 6.14)."""

MOST_PROOFS = 128
"""Proofs under way at once, in the whole process. They wait for hosts that strangers
chose, and one that had to queue behind those would lose its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Which PDS and which issuer speak for an account, and since when we know."""

    did: Did
    handle: Handle | None
    pds: Origin
    issuer: str
    seen_at: float
    """Epoch seconds of the oldest of the documents."""


class EvidenceCollector:
    """Collects evidence from identity resolution and server discovery."""

    def __init__(
        self,
        *,
        identities: IdentityResolver,
        servers: ServerDiscovery,
        clock: Callable[[], float],
    ) -> None:
        self._identities = identities
        self._servers = servers
        self._clock = clock
        self._beside = ThreadPoolExecutor(MOST_PROOFS, thread_name_prefix="evidence")

    def locate(
        self, identifier: Identifier, *, deadline: Deadline
    ) -> tuple[AuthorizationServer, Evidence | None]:
        """Find the authorization server of an account or of a typed server.

        A server start names no account, so there is no evidence yet (2.10).
        """
        if identifier.kind == "server":
            origin = Origin(identifier.value)
            return self._servers.from_server(origin, deadline=deadline).server, None
        account = (Did if identifier.kind == "did" else Handle)(identifier.value)
        return self._look(account, deadline=deadline, fresh=False)

    def renew(
        self, did: Did, *, issuer: str, held: Evidence | None, deadline: Deadline
    ) -> Future[Evidence]:
        """Begin to prove that `issuer` speaks for `did`; what is fresh is taken.

        Runs beside the caller, so that a callback waits for the slower of exchange and
        renewal, not for both. The future raises `IssuerMismatch` when another issuer
        speaks for the account by now, and what discovery raises.
        """
        if held is not None and self._clock() - held.seen_at <= EVIDENCE_LIFETIME:
            known: Future[Evidence] = Future()
            known.set_result(held)
            return known
        return self._beside.submit(self._prove, did, issuer, deadline)

    def _prove(self, did: Did, issuer: str, deadline: Deadline) -> Evidence:
        _, evidence = self._look(did, deadline=deadline, fresh=True)
        if evidence.issuer != issuer:
            raise IssuerMismatch(f"{issuer} does not speak for {did}")
        return evidence

    def confirm(
        self, session: OAuthSession, *, deadline: Deadline
    ) -> tuple[AuthorizationServer, Evidence]:
        """Prove, without caches, that a session's issuer still speaks for its account.

        Done before each refresh (requirement 7.15). The PDS may be another by now.

        Raises:
            IssuerMismatch: the account has moved to another issuer (7.16).
            AccountNotFound, HostUnreachable, HostWithoutOAuth, ServerInvalid: nothing
                was proved, and nothing disproved.
        """
        pds, seen_at = self._identities.locate(session.did, deadline=deadline)
        found = self._servers.from_pds(pds, deadline=deadline, fresh=True)
        if found.server.issuer != session.issuer:
            self._identities.forget(session.did, session.handle)
            raise IssuerMismatch(f"{session.issuer} speaks for {session.did} no more")
        return found.server, Evidence(
            did=session.did,
            handle=session.handle,
            pds=pds,
            issuer=session.issuer,
            seen_at=min(seen_at, found.verified_at),
        )

    def _look(
        self, account: Did | Handle, *, deadline: Deadline, fresh: bool
    ) -> tuple[AuthorizationServer, Evidence]:
        identity = self._identities.resolve(account, deadline=deadline, fresh=fresh)
        try:
            found = self._servers.from_pds(identity.pds, deadline=deadline, fresh=fresh)
        except AtprotoError:
            # Perhaps the account has moved since: look again next time (1.29).
            self._identities.forget(identity.did, identity.handle)
            raise
        return found.server, Evidence(
            did=identity.did,
            handle=identity.handle,
            pds=identity.pds,
            issuer=found.server.issuer,
            seen_at=min(identity.resolved_at, found.verified_at),
        )

    def forget(self, request: AuthRequest) -> None:
        """Drop what caches say of the account that was named (requirement 1.29)."""
        evidence = evidence_of(request)
        if evidence is not None:
            self._identities.forget(evidence.did, evidence.handle)
            self._servers.forget(evidence.pds, evidence.issuer)


def evidence_of(request: AuthRequest) -> Evidence | None:
    """Return what was seen when a login began, if it named an account."""
    if request.did is None or request.pds is None or request.verified_at is None:
        return None
    return Evidence(
        did=request.did,
        handle=request.handle,
        pds=request.pds,
        issuer=request.issuer,
        seen_at=request.verified_at,
    )
