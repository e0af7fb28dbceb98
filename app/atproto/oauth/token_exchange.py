"""From an authorization code to a proved session (RFC 6749 §4.1.3).

The code is sent once (requirement 6.8), the subject must be the account that was named
(6.11), and that account's own PDS must point to the issuer that spoke (6.12, 6.13).
Tokens of a login that fails after they came are revoked, not kept (6.15).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ..discovery.server_metadata import AuthorizationServer
from ..errors import SubjectMismatch
from ..http.types import Deadline
from ..records import OAuthSession, TokenSet, parse_token_set
from ..syntax.grammar import host_of
from .authorization import code_form
from .issuer_verification import evidence_of
from .server import REVOCATION_BUDGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..records import AuthRequest
    from ..stores.protocols import SessionStore
    from ..syntax.grammar import Did
    from .client_auth import Binding, Bindings
    from .issuer_verification import Evidence, EvidenceCollector
    from .server import Answer, ServerAgent


class CodeExchange:
    """Redeems codes for sessions."""

    def __init__(
        self,
        *,
        agent: ServerAgent,
        evidence: EvidenceCollector,
        bindings: Bindings,
        sessions: SessionStore,
        clock: Callable[[], float],
    ) -> None:
        self._agent = agent
        self._evidence = evidence
        self._bindings = bindings
        self._sessions = sessions
        self._clock = clock

    def redeem(
        self, request: AuthRequest, code: str, *, deadline: Deadline
    ) -> OAuthSession:
        """Exchange the code and keep the session, or revoke what came (6.15).

        Raises:
            CodeRejected, SubjectMismatch, IssuerMismatch: nothing was kept.
            KeyUnavailable: the client key of this flow is gone; nothing was sent.
            AccountUnresolved, HostUnreachable, HostWithoutOAuth, ServerInvalid: while
                exchanging or proving.
        """
        server = AuthorizationServer.restore(request.server)
        binding = self._bindings.of(request)
        prove = self._proof_of(request, deadline)
        answer = self._agent.exchange(
            server,
            code_form(request, code),
            binding,
            deadline=deadline,
            nonce=request.as_nonce,
        )
        try:
            tokens = parse_token_set(
                answer.document, host=host_of(server.token_endpoint)
            )
            evidence = prove(tokens.did)
            session = _session_of(
                request,
                server,
                tokens,
                evidence=evidence,
                binding=binding,
                nonce=answer.nonce,
                now=self._clock(),
            )
            self._sessions.put(session)
        except BaseException:
            self._discard(server, answer, binding)
            raise
        return session

    def _proof_of(
        self, request: AuthRequest, deadline: Deadline
    ) -> Callable[[Did], Evidence]:
        """Return a function that proves that the flow's issuer speaks for a subject.

        For an account that was named, the proof begins now, beside the exchange.
        """
        named = evidence_of(request)
        if named is None:
            return lambda did: self._evidence.renew(
                did, issuer=request.issuer, held=None, deadline=deadline
            ).result()
        renewal = self._evidence.renew(
            named.did, issuer=request.issuer, held=named, deadline=deadline
        )

        def prove(did: Did) -> Evidence:
            if did != named.did:
                raise SubjectMismatch(f"{did} approved instead of {named.did}")
            return renewal.result()

        return prove

    def _discard(
        self, server: AuthorizationServer, answer: Answer, binding: Binding
    ) -> None:
        """Revoke tokens that must not be kept, as far as the host lets us (6.15)."""
        if server.revocation_endpoint is None:
            return
        tokens = {
            hint: token
            for hint in ("refresh_token", "access_token")
            if isinstance(token := answer.document.get(hint), str)
        }
        self._agent.revoke(
            tokens,
            binding,
            issuer=server.issuer,
            endpoint=server.revocation_endpoint,
            deadline=Deadline.after(REVOCATION_BUDGET),
        )


def _session_of(
    request: AuthRequest,
    server: AuthorizationServer,
    tokens: TokenSet,
    *,
    evidence: Evidence,
    binding: Binding,
    nonce: str | None,
    now: float,
) -> OAuthSession:
    key = binding.client_key
    return OAuthSession(
        did=evidence.did,
        session_id=secrets.token_urlsafe(16),
        handle=evidence.handle,
        issuer=request.issuer,
        pds=evidence.pds,
        client_id=request.client_id,
        auth_method=request.auth_method,
        client_kid=request.client_kid,
        client_thumbprint=key.thumbprint if key else None,
        dpop_key=request.dpop_key,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        scope=tokens.scope,
        expires_at=None if tokens.expires_in is None else now + tokens.expires_in,
        token_endpoint=server.token_endpoint,
        revocation_endpoint=server.revocation_endpoint,
        as_nonce=nonce or request.as_nonce,
        pds_nonce=None,
        created_at=now,
        refreshed_at=now,
        verified_at=evidence.seen_at,
    )
