"""Issuer verification: the account's own PDS must trust the issuer that answered.

Any authorization server can claim any DID in `sub`. Only the chain DID document -> PDS
-> protected resource metadata -> issuer says who may (requirements 6.12 to 6.14). It is
followed when a login begins, and again, without caches, when that result has grown old.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

from ..discovery.accounts import AccountLocation, Discovery
from ..discovery.server_metadata import AuthorizationServer
from ..errors import IssuerMismatch, SubjectMismatch
from ..http.turns import waiting
from ..http.types import Deadline
from ..records import AuthRequest, OAuthSession
from ..syntax.grammar import Did, Origin

VERIFICATION_LIFETIME = 600.0
"""Seconds for which a verification may be used to make a session (requirements 1.28 and
6.14)."""

MAX_VERIFICATIONS = 128
"""Verifications that run at once in the process. Each may wait for a slow host that a
stranger chose; one that had to queue behind those would run out of time."""


class IssuerVerifier:
    """Verifies that an issuer speaks for an account."""

    def __init__(self, *, discovery: Discovery, clock: Callable[[], float]) -> None:
        self._discovery = discovery
        self._clock = clock
        self._pool = ThreadPoolExecutor(
            MAX_VERIFICATIONS, thread_name_prefix="issuer-verification"
        )

    def begin(
        self, request: AuthRequest, *, deadline: Deadline
    ) -> Future[AccountLocation] | None:
        """Begin to verify the account that the login named; None if it named none.

        Runs in another thread, so that a callback waits for the slower of verification
        and code exchange instead of both. What was verified at the start of the login
        is used again while it is fresh.
        """
        account = account_of(request)
        if account is None:
            return None
        if self._clock() - account.verified_at <= VERIFICATION_LIFETIME:
            verified: Future[AccountLocation] = Future()
            verified.set_result(account)
            return verified
        # In the caller's context, for its log.
        return self._pool.submit(
            copy_context().run, self._verify, account.did, request.issuer, deadline
        )

    def finish(
        self,
        begun: Future[AccountLocation] | None,
        request: AuthRequest,
        *,
        subject: Did,
        deadline: Deadline,
    ) -> AccountLocation:
        """Return the verified account for the `sub` of a token answer.

        Raises:
            SubjectMismatch: the login named another account (requirement 6.11).
            IssuerMismatch: the account's PDS trusts another issuer (requirement 6.12).
            AccountUnresolved, HostUnreachable, HostWithoutOAuth, ServerInvalid: from
                discovery; nothing was verified.
        """
        if begun is None:
            return self._verify(subject, request.issuer, deadline)
        if subject != request.did:
            raise SubjectMismatch(f"{subject} approved instead of {request.did}")
        with waiting():
            return begun.result()

    def confirm(self, session: OAuthSession, *, deadline: Deadline) -> AccountLocation:
        """Verify, without caches, that a session's issuer still speaks for its account.

        Done before each refresh (requirement 7.15). The PDS may have changed.

        Raises:
            IssuerMismatch: the account's PDS trusts another issuer (requirement 7.16).
            AccountNotFound, HostUnreachable, HostWithoutOAuth, ServerInvalid: the
                question is open; keep the session.
        """
        account = self._discovery.relocate(
            session.did,
            session.handle,
            deadline=deadline,
            expected=Origin(session.issuer),
        )
        if account.server.issuer != session.issuer:
            self._discovery.forget(account)
            raise IssuerMismatch(f"{session.issuer} speaks for {session.did} no more")
        return account

    def forget(self, request: AuthRequest) -> None:
        """Drop what the caches hold about the account of a login (requirement 1.29)."""
        if account := account_of(request):
            self._discovery.forget(account)

    def _verify(self, did: Did, issuer: str, deadline: Deadline) -> AccountLocation:
        account = self._discovery.locate(
            did, deadline=deadline, expected=Origin(issuer)
        )
        if account.server.issuer != issuer:
            raise IssuerMismatch(f"{issuer} does not speak for {did}")
        return account


def account_of(request: AuthRequest) -> AccountLocation | None:
    """Return the account that was verified when a login began, if it named one."""
    if request.did is None or request.pds is None or request.verified_at is None:
        return None
    return AccountLocation(
        did=request.did,
        handle=request.handle,
        pds=request.pds,
        server=AuthorizationServer.restore(request.server),
        verified_at=request.verified_at,
    )
