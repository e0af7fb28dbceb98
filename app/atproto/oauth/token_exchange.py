"""Token exchange: from an authorization code to a stored session (RFC 6749 4.1.3).

The code is sent once (requirement 6.8), the `sub` must be the account that was named
(requirement 6.11), and that account's PDS must trust the issuer (requirements 6.12 and
6.13). When a check fails after tokens came, they are revoked (requirement 6.15).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ..discovery.accounts import AccountLocation
from ..discovery.server_metadata import AuthorizationServer
from ..http.types import Deadline
from ..records import AuthRequest, OAuthSession, TokenSet, parse_token_set
from ..stores.protocols import SessionStore
from ..syntax.grammar import host_of
from .authorization import code_form
from .client_auth import ClientAuth, ClientAuthProvider
from .dpop import recent
from .issuer_verification import IssuerVerifier
from .server import REVOCATION_BUDGET, Answer, ServerAgent


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExchange:
    """Exchanges authorization codes for sessions."""

    agent: ServerAgent
    verifier: IssuerVerifier
    client_auth: ClientAuthProvider
    sessions: SessionStore
    clock: Callable[[], float]

    def redeem(
        self, request: AuthRequest, code: str, *, deadline: Deadline
    ) -> OAuthSession:
        """Exchange the code, verify the account, and store the session.

        Raises:
            CodeRejected, SubjectMismatch, IssuerMismatch: nothing was stored.
            KeyUnavailable: the client key of this login is gone; nothing was sent.
            AccountUnresolved, HostUnreachable, HostWithoutOAuth, ServerInvalid: from
                the exchange or the verification.
        """
        server = AuthorizationServer.restore(request.server)
        auth = self.client_auth.of(request)
        verification = self.verifier.begin(request, deadline=deadline)
        answer = self.agent.exchange(
            server,
            code_form(request, code),
            auth,
            deadline=deadline,
            nonce=recent(request.as_nonce, since=request.created_at, now=self.clock()),
        )
        try:
            tokens = parse_token_set(
                answer.document,
                host=host_of(server.token_endpoint),
                requested=request.scope,
            )
            account = self.verifier.finish(
                verification, request, subject=tokens.did, deadline=deadline
            )
            session = _session_of(
                request, answer, tokens, account=account, auth=auth, now=self.clock()
            )
            self.sessions.put(session)
        except BaseException:
            self._discard(server, answer, auth)
            raise
        return session

    def _discard(
        self, server: AuthorizationServer, answer: Answer, auth: ClientAuth
    ) -> None:
        """Revoke tokens that are not stored, best effort (requirement 6.15)."""
        if server.revocation_endpoint is None:
            return
        tokens = {
            hint: token
            for hint in ("refresh_token", "access_token")
            if isinstance(token := answer.document.get(hint), str)
        }
        self.agent.revoke(
            tokens,
            auth,
            issuer=server.issuer,
            endpoint=server.revocation_endpoint,
            deadline=Deadline.after(REVOCATION_BUDGET),
        )


def _session_of(
    request: AuthRequest,
    answer: Answer,
    tokens: TokenSet,
    *,
    account: AccountLocation,
    auth: ClientAuth,
    now: float,
) -> OAuthSession:
    return OAuthSession(
        did=account.did,
        session_id=secrets.token_urlsafe(16),
        handle=account.handle,
        issuer=request.issuer,
        pds=account.pds,
        client_id=request.client_id,
        auth_method=request.auth_method,
        client_kid=request.client_kid,
        client_thumbprint=auth.client_key.thumbprint if auth.client_key else None,
        dpop_key=request.dpop_key,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        scope=tokens.scope,
        expires_at=None if tokens.expires_in is None else now + tokens.expires_in,
        token_endpoint=account.server.token_endpoint,
        revocation_endpoint=account.server.revocation_endpoint,
        as_nonce=answer.nonce,
        pds_nonce=None,
        created_at=now,
        refreshed_at=now,
        verified_at=account.verified_at,
        requested_scope=request.scope,
    )
