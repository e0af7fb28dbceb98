"""The OAuth client: begin a login, judge its answer, use a session, end it.

`authorize` and `callback` are the two halves of the code flow (RFC 6749 §4.1) as the
ATProto profile prescribes it; one auth request joins them. A session exists only when
the subject is the account that was named (requirement 6.11) and that account's own PDS
points to the issuer that spoke (6.12, 6.13).
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from .crypto.encoding import sha256_hex
from .crypto.keys import SigningKey
from .crypto.proofs import create_verifier
from .errors import (
    AtprotoError,
    BrowserMismatch,
    ClientMetadataInvalid,
    ClientRefused,
    IssuerMismatch,
    KeyUnavailable,
    StateUnknown,
    SubjectMismatch,
)
from .oauth.authorization import (
    Authorization,
    authorization_url,
    check_scope,
    optional_parameters,
    par_form,
)
from .oauth.callback import is_bound, read_callback
from .oauth.client_auth import Bindings
from .oauth.token_exchange import CodeExchange
from .records import AuthRequest
from .session.refresh import SessionRefresh
from .session.session import LiveSession

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from .client_metadata.builders import ClientMetadata
    from .crypto.keys import ClientKeys
    from .discovery.server_metadata import AuthorizationServer
    from .http.types import Deadline
    from .oauth.callback import CallbackAnswer
    from .oauth.dpop import DPoPSender
    from .oauth.issuer_verification import EvidenceCollector
    from .oauth.server import ServerAgent
    from .records import OAuthSession
    from .stores.protocols import SessionStore, StateStore
    from .syntax.grammar import Did
    from .syntax.identifier import Identifier

log = logging.getLogger(__name__)

AUTH_REQUEST_LIFETIME = 3600.0
"""Seconds a login may wait for its callback (requirement 4.19)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A login that is proved; its session is stored already."""

    session: OAuthSession
    app_state: str = field(repr=False)


class OAuthClient:
    """An ATProto OAuth client; one serves all threads.

    `metadata` and `keys` are asked each time, so that a new key is used without a
    restart (requirement 3.18). `keys` is None for a public client.
    """

    def __init__(
        self,
        *,
        metadata: Callable[[], ClientMetadata],
        keys: Callable[[], ClientKeys] | None,
        states: StateStore,
        sessions: SessionStore,
        evidence: EvidenceCollector,
        agent: ServerAgent,
        sender: DPoPSender,
        clock: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._metadata = metadata
        self._bindings = Bindings(keys)
        self._states = states
        self._sessions = sessions
        self._evidence = evidence
        self._agent = agent
        self._sender = sender
        self._clock = clock
        self._exchange = CodeExchange(
            agent=agent,
            evidence=evidence,
            bindings=self._bindings,
            sessions=sessions,
            clock=clock,
        )
        self._refresh = SessionRefresh(
            agent=agent,
            evidence=evidence,
            bindings=self._bindings,
            sessions=sessions,
            clock=clock,
            sleep=sleep,
        )

    def authorize(
        self,
        identifier: Identifier,
        *,
        scope: str,
        redirect_uri: str,
        deadline: Deadline,
        prompt: str | None = None,
        app_state: str = "",
        binding: str | None = None,
    ) -> Authorization:
        """Push an authorization request and keep what its callback needs.

        `binding` is a secret that only the starting browser holds; None leaves the flow
        unbound, which only a listener that receives its own callback may do (9.12).
        Nothing is stored unless all went well.

        Raises:
            AccountUnresolved: the identifier names no account.
            HostUnreachable, HostWithoutOAuth, ServerInvalid: see `errors`.
            ScopeInvalid: `scope` is malformed, lacks `atproto`, or is more than the
                client metadata declares (requirement 4.6).
            ClientMetadataInvalid: `redirect_uri` is not declared there.
        """
        metadata = self._metadata()
        check_scope(scope, within=metadata.scope)
        if not metadata.is_redirect(redirect_uri):
            raise ClientMetadataInvalid(f"{redirect_uri} is not declared")
        server, evidence = self._evidence.locate(identifier, deadline=deadline)
        now = self._clock()
        draft = AuthRequest(
            state=secrets.token_urlsafe(32),
            browser_secret_hash=None if binding is None else sha256_hex(binding),
            issuer=server.issuer,
            server=server.document(),
            did=evidence.did if evidence else None,
            handle=evidence.handle if evidence else None,
            pds=evidence.pds if evidence else None,
            login_hint=identifier.value if evidence else None,
            redirect_uri=redirect_uri,
            code_verifier=create_verifier(),
            dpop_key=SigningKey.generate("ES256"),
            client_id=metadata.client_id,
            auth_method=metadata.auth_method,
            client_kid=self._bindings.newest_kid(),
            scope=scope,
            as_nonce=None,
            verified_at=evidence.seen_at if evidence else None,
            app_state=app_state,
            created_at=now,
            expires_at=now + AUTH_REQUEST_LIFETIME,
        )
        request, request_uri = self._push(
            server, draft, prompt=prompt, deadline=deadline
        )
        self._states.put(request)
        return Authorization(
            url=authorization_url(server, request.client_id, request_uri),
            state=request.state,
            issuer=request.issuer,
            expires_at=request.expires_at,
        )

    def callback(
        self,
        parameters: Sequence[tuple[str, str]],
        *,
        bindings: Collection[str] | None,
        deadline: Deadline,
    ) -> Completed:
        """Judge the answer to an authorization request; store the proved session.

        `bindings` are the secrets that this browser holds, None for an unbound flow.
        The order is the defence: the browser is compared before the auth request is
        taken (6.3), the auth request is taken before anything is believed, and the
        issuer is compared before the code goes anywhere (6.5).

        Raises:
            CallbackRejected: in one of its kinds; only `BrowserMismatch` leaves the
                auth request in place.
            KeyUnavailable: the client key of this flow is gone.
            AccountUnresolved, HostUnreachable, HostWithoutOAuth, ServerInvalid: while
                the code was exchanged or the account proved; tokens that had come were
                revoked (6.15).
        """
        answer = read_callback(parameters)
        request = self._recognise(answer, bindings)
        try:
            code = answer.code_for(request.issuer)
            session = self._exchange.redeem(request, code, deadline=deadline)
        except AtprotoError as error:
            if isinstance(error, IssuerMismatch | SubjectMismatch):
                # Perhaps what we knew of the account was old: look again next time.
                self._evidence.forget(request)
            error.app_state = request.app_state
            error.issuer = request.issuer
            raise
        return Completed(session=session, app_state=request.app_state)

    def restore(self, did: Did, session_id: str) -> LiveSession:
        """Return a stored session, ready for requests to its PDS. Asks nobody.

        Raises:
            SessionEnded: there is no such session; sign in again.
        """
        session = self._refresh.stored(did, session_id)
        return LiveSession(
            did=did,
            session_id=session_id,
            handle=session.handle,
            refreshing=self._refresh,
            sender=self._sender,
        )

    def refresh(self, did: Did, session_id: str, *, deadline: Deadline) -> OAuthSession:
        """Refresh a session now, due or not; requests do it by themselves.

        Raises what `SessionRefresh.current` raises.
        """
        return self.restore(did, session_id).refresh(deadline=deadline)

    def revoke(self, did: Did, session_id: str, *, deadline: Deadline) -> str | None:
        """End a session here, then at its host as far as the host can be reached.

        Both tokens are revoked, whatever the host makes of it (requirement 7.19).
        Returns the issuer that was asked; None when nobody could be.
        """
        session = self._sessions.delete(did, session_id)
        if session is None or session.revocation_endpoint is None:
            return None
        try:
            binding = self._bindings.of(session)
        except KeyUnavailable as error:
            log.warning("session of %s is not revoked at its host: %s", did, error)
            return None
        self._agent.end(session, binding, deadline=deadline)
        return session.issuer

    def _push(
        self,
        server: AuthorizationServer,
        request: AuthRequest,
        *,
        prompt: str | None,
        deadline: Deadline,
    ) -> tuple[AuthRequest, str]:
        """Push the request; without its optional parameters when they are refused."""
        optional = optional_parameters(server, request.login_hint, prompt)
        push = partial(
            self._agent.push,
            server,
            binding=self._bindings.of(request),
            deadline=deadline,
        )
        try:
            request_uri, nonce = push(par_form(request) | optional)
        except ClientRefused as error:
            if error.code != "invalid_request" or not optional:
                raise
            # Section 10: once more without them, with another challenge (4.4).
            request = replace(request, code_verifier=create_verifier())
            request_uri, nonce = push(par_form(request))
        return replace(request, as_nonce=nonce), request_uri

    def _recognise(
        self, answer: CallbackAnswer, bindings: Collection[str] | None
    ) -> AuthRequest:
        """Take the auth request that this answer belongs to, exactly once (6.3)."""
        waiting = self._states.get(answer.state)
        if waiting is None:
            raise StateUnknown("no login waits for this state")
        if not is_bound(waiting.browser_secret_hash, bindings):
            raise BrowserMismatch("another browser began this login")
        request = self._states.take(answer.state)
        if request is None:
            raise StateUnknown("this login was answered already")
        return request
