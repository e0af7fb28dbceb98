"""The OAuth client: begin a login, judge its answer, end a session.

`authorize` and `callback` are the two halves of the code flow (RFC 6749 §4.1) as the
ATProto profile prescribes it; one auth request joins them. A session exists only when
the subject is the account that was named (requirement 6.11) and that account's own PDS
points to the issuer that spoke (6.12, 6.13).
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .authorization import (
    Authorization,
    authorization_url,
    check_scope,
    code_form,
    optional_parameters,
    par_form,
)
from .callback import fingerprint, is_bound, read_callback
from .errors import (
    AtprotoError,
    BrowserMismatch,
    ClientRefused,
    KeyUnavailable,
    StateUnknown,
    SubjectMismatch,
)
from .evidence import Evidence, EvidenceCollector
from .keys import SigningKey
from .metadata import AuthorizationServer
from .proofs import create_verifier
from .security import Deadline
from .server import Binding
from .session import OAuthSession, TokenSet, parse_token_set
from .stores import AuthRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from .callback import CallbackAnswer
    from .identifier import Identifier
    from .keys import ClientKeys
    from .metadata import ClientMetadata
    from .server import Answer, ServerAgent
    from .stores import SessionStore, StateStore
    from .syntax import Did

log = logging.getLogger(__name__)

AUTH_REQUEST_LIFETIME = 3600.0
"""Seconds a login may wait for its callback (requirement 4.19)."""

REVOCATION_BUDGET = 4.0
"""Seconds granted to a host for revoking tokens that we refuse to keep (6.15)."""


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
        clock: Callable[[], float],
    ) -> None:
        self._metadata = metadata
        self._keys = keys
        self._states = states
        self._sessions = sessions
        self._evidence = evidence
        self._agent = agent
        self._clock = clock

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
        """
        metadata = self._metadata()
        check_scope(scope, within=metadata.scope)
        server, evidence = self._evidence.locate(identifier, deadline=deadline)
        now = self._clock()
        draft = AuthRequest(
            state=secrets.token_urlsafe(32),
            binding=None if binding is None else fingerprint(binding),
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
            client_kid=self._keys().primary().kid if self._keys else None,
            scope=scope,
            as_nonce=None,
            evidence_at=evidence.seen_at if evidence else None,
            app_state=app_state,
            created_at=now,
            expires_at=now + AUTH_REQUEST_LIFETIME,
        )
        request, request_uri = self._push(server, draft, prompt, deadline)
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
            session = self._complete(request, code, deadline)
        except AtprotoError as error:
            error.app_state = request.app_state
            raise
        return Completed(session=session, app_state=request.app_state)

    def revoke(self, did: Did, session_id: str, *, deadline: Deadline) -> None:
        """End a session here, then at its host as far as the host can be reached.

        Both tokens are revoked, whatever the host makes of it (requirement 7.19).
        """
        session = self._sessions.delete(did, session_id)
        if session is None or session.revocation_endpoint is None:
            return
        try:
            key = self._client_key(session.auth_method, session.client_kid)
        except KeyUnavailable as error:
            log.warning("session of %s is not revoked at its host: %s", did, error)
            return
        self._agent.revoke(
            session.issuer,
            session.revocation_endpoint,
            {
                "refresh_token": session.refresh_token,
                "access_token": session.access_token,
            },
            _binding(session, key),
            deadline=deadline,
        )

    def _push(
        self,
        server: AuthorizationServer,
        request: AuthRequest,
        prompt: str | None,
        deadline: Deadline,
    ) -> tuple[AuthRequest, str]:
        """Push the request; without its optional parameters when they are refused."""
        optional = optional_parameters(server, request.login_hint, prompt)
        key = self._client_key(request.auth_method, request.client_kid)
        binding = _binding(request, key)
        try:
            request_uri, nonce = self._agent.push(
                server, par_form(request) | optional, binding, deadline=deadline
            )
        except ClientRefused as error:
            if error.code != "invalid_request" or not optional:
                raise
            # Section 10: once more without them, with another challenge (4.4).
            request = replace(request, code_verifier=create_verifier())
            request_uri, nonce = self._agent.push(
                server, par_form(request), binding, deadline=deadline
            )
        return replace(request, as_nonce=nonce), request_uri

    def _recognise(
        self, answer: CallbackAnswer, bindings: Collection[str] | None
    ) -> AuthRequest:
        """Take the auth request that this answer belongs to, exactly once (6.3)."""
        waiting = self._states.get(answer.state)
        if waiting is None:
            raise StateUnknown("no login waits for this state")
        if not is_bound(waiting.binding, bindings):
            raise BrowserMismatch("another browser began this login")
        request = self._states.take(answer.state)
        if request is None:
            raise StateUnknown("this login was answered already")
        return request

    def _complete(
        self, request: AuthRequest, code: str, deadline: Deadline
    ) -> OAuthSession:
        """Exchange the code and keep the session, or revoke what came (6.15)."""
        server = AuthorizationServer.restore(request.server)
        key = self._client_key(request.auth_method, request.client_kid)
        binding = _binding(request, key)
        prove = self._proof_of(request, deadline)
        answer = self._agent.exchange(
            server,
            code_form(request, code),
            binding,
            deadline=deadline,
            nonce=request.as_nonce,
        )
        try:
            host = urlsplit(server.token_endpoint).hostname or ""
            tokens = parse_token_set(answer.document, host=host)
            evidence = prove(tokens.did)
            session = self._session(request, server, tokens, evidence, answer)
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
        named = _evidence_of(request)
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

    def _session(
        self,
        request: AuthRequest,
        server: AuthorizationServer,
        tokens: TokenSet,
        evidence: Evidence,
        answer: Answer,
    ) -> OAuthSession:
        now = self._clock()
        key = self._client_key(request.auth_method, request.client_kid)
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
            as_nonce=answer.nonce or request.as_nonce,
            pds_nonce=None,
            created_at=now,
            refreshed_at=now,
            verified_at=evidence.seen_at,
        )

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
            server.issuer,
            server.revocation_endpoint,
            tokens,
            binding,
            deadline=Deadline.after(REVOCATION_BUDGET),
        )

    def _client_key(self, method: str, kid: str | None) -> SigningKey | None:
        """Return the key that a flow or session is pinned to (requirement 7.3).

        Raises:
            KeyUnavailable: it is gone; nothing must be sent with another (7.4).
        """
        if method == "none":
            return None
        if self._keys is None or kid is None:
            raise KeyUnavailable(kid or "")
        return self._keys().get(kid)


def _binding(owner: AuthRequest | OAuthSession, key: SigningKey | None) -> Binding:
    return Binding(client_id=owner.client_id, client_key=key, dpop_key=owner.dpop_key)


def _evidence_of(request: AuthRequest) -> Evidence | None:
    """Return what was seen when the login began, if it named an account."""
    if request.did is None or request.pds is None or request.evidence_at is None:
        return None
    return Evidence(
        did=request.did,
        handle=request.handle,
        pds=request.pds,
        issuer=request.issuer,
        seen_at=request.evidence_at,
    )
