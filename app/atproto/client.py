"""The OAuth client: begin a login, handle its callback, use and end a session.

`authorize` and `callback` are the two halves of the code flow (RFC 6749 section 4.1) as
the ATProto profile prescribes it; an AuthRequest joins them. A session is made only
when the `sub` is the account that was named (requirement 6.11) and that account's own
PDS trusts the issuer that answered (requirements 6.12 and 6.13).
"""

from __future__ import annotations

import functools
import logging
import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

from .client_metadata.builders import ClientMetadata
from .crypto.keys import ClientKeys
from .crypto.proofs import create_verifier
from .discovery.accounts import AccountLocation, Discovery
from .discovery.servers import ServerLocation
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
from .events import CallbackReceived, Observer, ignore
from .http.types import Deadline
from .oauth.authorization import (
    Authorization,
    CallbackAnswer,
    authorization_url,
    check_scope,
    is_same_browser,
    new_auth_request,
    optional_parameters,
    par_form,
    read_callback,
)
from .oauth.client_auth import ClientAuthProvider
from .oauth.dpop import DPoPSender
from .oauth.issuer_verification import IssuerVerifier
from .oauth.server import ServerAgent
from .oauth.token_exchange import TokenExchange
from .records import AuthRequest, OAuthSession
from .session.refresh import SessionRefresh
from .session.refresh_request import RefreshRequest
from .session.session import LiveSession
from .stores.protocols import BrowserStateStore, SessionStore, StateStore
from .syntax.grammar import Did, Handle
from .syntax.identifier import Identifier

log = logging.getLogger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _renamed(
    old: str, new: str
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Return a decorator that accepts the former name of a keyword, with a warning."""

    def decorate(
        method: Callable[Parameters, Result],
    ) -> Callable[Parameters, Result]:
        @functools.wraps(method)
        def call(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
            if old in options and new not in options:
                warnings.warn(
                    f"the keyword {old!r} is now {new!r}",
                    DeprecationWarning,
                    stacklevel=2,
                )
                options[new] = options.pop(old)
            return method(*args, **options)

        return call

    return decorate


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished login; its session is verified and stored."""

    session: OAuthSession
    app_state: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What happened at the host when a session was ended here."""

    issuer: str
    is_asked: bool
    """False when the server has no revocation endpoint, or the client key of the
    session is gone: then the person has to end the grant at the host."""
    is_answered: bool = True
    """False when it was asked and did not answer; a 200 is no proof, either."""


class OAuthClient:
    """An ATProto OAuth client; one instance may be used by all threads.

    `metadata` and `keys` are called each time, so that a new key is used without a
    restart (requirement 3.18). `keys` is None for a public client.
    """

    def __init__(
        self,
        *,
        metadata: Callable[[], ClientMetadata],
        keys: Callable[[], ClientKeys] | None,
        states: StateStore,
        sessions: SessionStore,
        discovery: Discovery,
        agent: ServerAgent,
        sender: DPoPSender,
        clock: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
        observe: Observer = ignore,
    ) -> None:
        self._observe = observe
        self._metadata = metadata
        self._client_auth = ClientAuthProvider(keys)
        self._states = states
        # Asked once: isinstance looks up every method of a protocol.
        self._by_browser = states if isinstance(states, BrowserStateStore) else None
        self._sessions = sessions
        self._discovery = discovery
        self._verifier = IssuerVerifier(discovery=discovery, clock=clock)
        self._agent = agent
        self._sender = sender
        self._clock = clock
        self._exchange = TokenExchange(
            agent=agent,
            verifier=self._verifier,
            client_auth=self._client_auth,
            sessions=sessions,
            clock=clock,
        )
        request = RefreshRequest(
            agent=agent,
            verifier=self._verifier,
            client_auth=self._client_auth,
            sessions=sessions,
            clock=clock,
            sleep=sleep,
        )
        self._refresh = SessionRefresh(request, observe=observe)

    @_renamed("binding", "browser_secret")
    def authorize(
        self,
        identifier: Identifier,
        *,
        scope: str,
        redirect_uri: str,
        deadline: Deadline,
        prompt: str | None = None,
        ui_locales: str | None = None,
        app_state: str = "",
        browser_secret: str | None = None,
    ) -> Authorization:
        """Push an authorization request and store what its callback needs.

        `ui_locales` are the languages for the host's pages: BCP 47 tags with spaces.

        `browser_secret` is a secret in a cookie of the browser that starts the login.
        Leave it out only in a program that receives its own callback, such as a command
        line with a loopback listener (requirement 9.12). After an error nothing is
        stored.

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
        found = self._discovery.discover(identifier, deadline=deadline)
        request = new_auth_request(
            found,
            login_hint=identifier.login_hint,
            scope=scope,
            redirect_uri=redirect_uri,
            app_state=app_state,
            browser_secret=browser_secret,
            metadata=metadata,
            client_kid=self._client_auth.newest_kid(),
            now=self._clock(),
        )
        optional = optional_parameters(
            found.server, request.login_hint, prompt=prompt, ui_locales=ui_locales
        )
        request, request_uri, taken = self._push(
            request, found, optional, deadline=deadline
        )
        self._states.put(request)
        return Authorization(
            url=authorization_url(found.server, request.client_id, request_uri),
            state=request.state,
            issuer=request.issuer,
            expires_at=request.expires_at,
            prompt=taken.get("prompt"),
        )

    @_renamed("bindings", "browser_secrets")
    def callback(
        self,
        parameters: Sequence[tuple[str, str]],
        *,
        deadline: Deadline,
        browser_secrets: Collection[str] | None = None,
    ) -> Completed:
        """Check the answer to an authorization request and store the session.

        `browser_secrets` are the secrets in this browser's cookies; None for a login
        that began without one. The order is part of the defence: the browser is
        compared before the auth request is taken (requirement 6.3), the auth request is
        taken before anything else is read, and the issuer is compared before the code
        is sent (requirement 6.5).

        Raises:
            CallbackRejected: one of its kinds; only `BrowserMismatch` keeps the auth
                request.
            KeyUnavailable: the client key of this login is gone.
            AccountUnresolved, HostUnreachable, HostWithoutOAuth, ServerInvalid: from
                the code exchange or the verification; tokens that had come were revoked
                (requirement 6.15).
        """
        answer = read_callback(parameters)
        request = self._take_request(answer, browser_secrets)
        try:
            code = answer.code_for(request.issuer)
            session = self._exchange.redeem(request, code, deadline=deadline)
        except AtprotoError as error:
            if isinstance(error, IssuerMismatch | SubjectMismatch):
                # The cached account may be out of date: look it up again next time.
                self._verifier.forget(request)
            error.app_state = request.app_state
            error.issuer = request.issuer
            raise
        return Completed(session=session, app_state=request.app_state)

    def verified_handle(
        self,
        did: Did,
        *,
        deadline: Deadline,
        matters: Callable[[Handle], bool] = lambda _handle: True,
    ) -> Handle | None:
        """Return the handle of an account, verified now in both directions, or None.

        No cache is read. A handle for which `matters` returns false is not looked up.

        Raises:
            AccountNotFound: there is no such account.
            HostUnreachable, ServerInvalid: the look-up failed; there may be a handle.
        """
        return self._discovery.identities.verified_handle(
            did, deadline=deadline, matters=matters
        )

    def discover(
        self, identifier: Identifier, *, deadline: Deadline
    ) -> AccountLocation | ServerLocation:
        """Return where an identifier leads, as `authorize` finds it; caches it.

        Raises:
            AccountUnresolved, HostUnreachable, HostWithoutOAuth, ServerInvalid: see
                `errors`.
        """
        return self._discovery.discover(identifier, deadline=deadline)

    def restore(self, did: Did, session_id: str) -> LiveSession:
        """Return a stored session, ready for requests to its PDS. Sends nothing.

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
        """Refresh a session now, due or not; requests refresh by themselves.

        Raises what `SessionRefresh.current` raises.
        """
        return self.restore(did, session_id).refresh(deadline=deadline)

    def wait_for_refreshes(self) -> None:
        """Wait until the refreshes that are running have ended and are stored.

        For a program that closes its stores: a refresh goes on when its callers have
        given up (requirement 7.10).
        """
        self._refresh.wait()

    def revoke(
        self,
        did: Did,
        session_id: str,
        *,
        deadline: Deadline,
        keep_unanswered: bool = False,
    ) -> Revocation | None:
        """Delete a session, then revoke both tokens at its host, best effort.

        See requirement 7.19. Returns None when there was no such session. With
        `keep_unanswered` the session stays stored while its host does not answer, so
        that a later call can try again: the caller lets nothing use it, and limits for
        how long it is tried.
        """
        if not keep_unanswered:
            deleted = self._sessions.delete(did, session_id)
            return self._revoke_at_host(deleted, deadline) if deleted else None
        session = self._sessions.get(did, session_id)
        if session is None:
            return None
        revocation = self._revoke_at_host(session, deadline)
        if not revocation.is_answered:
            return revocation
        deleted = self._sessions.delete(did, session_id)
        if deleted is not None and deleted.access_token != session.access_token:
            # A refresh that was running has replaced the tokens meanwhile.
            return self._revoke_at_host(deleted, deadline)
        return revocation

    def _revoke_at_host(self, session: OAuthSession, deadline: Deadline) -> Revocation:
        unasked = Revocation(issuer=session.issuer, is_asked=False)
        if session.revocation_endpoint is None:
            return unasked
        try:
            auth = self._client_auth.of(session)
        except KeyUnavailable as error:
            log.warning("session of %s is not revoked: %s", session.did, error)
            return unasked
        is_answered = self._agent.end(session, auth, deadline=deadline)
        return replace(unasked, is_asked=True, is_answered=is_answered)

    def _push(
        self,
        request: AuthRequest,
        found: AccountLocation | ServerLocation,
        optional: dict[str, str],
        *,
        deadline: Deadline,
    ) -> tuple[AuthRequest, str, dict[str, str]]:
        """Push the request; without its optional parameters when they are refused.

        Return it with its `request_uri` and the optional parameters that were taken.
        """
        push = functools.partial(
            self._agent.push,
            found.server,
            auth=self._client_auth.of(request),
            deadline=deadline,
        )
        try:
            request_uri, nonce = push(par_form(request) | optional)
        except ClientRefused as error:
            if error.code != "invalid_request" or not optional:
                raise
            # Again without them, and with another PKCE challenge (requirement 4.4).
            request = replace(request, code_verifier=create_verifier())
            request_uri, nonce = push(par_form(request))
            optional = {}
        return replace(request, as_nonce=nonce), request_uri, optional

    def _take_request(
        self, answer: CallbackAnswer, browser_secrets: Collection[str] | None
    ) -> AuthRequest:
        """Take the auth request of this answer, exactly once (requirement 6.3)."""

        def matches(secret_hash: str | None, created_at: float) -> bool:
            self._observe(CallbackReceived(secret_hash, self._clock() - created_at))
            return is_same_browser(secret_hash, browser_secrets)

        is_stranger = browser_secrets is not None and not browser_secrets
        if self._by_browser is not None and not is_stranger:
            request = self._by_browser.take_if(answer.state, matches)
        else:  # a browser without a secret writes nothing
            request = _compare_and_take(self._states, answer.state, matches)
        if request is None:
            raise StateUnknown("no login waits for this state, or it was answered")
        return request


def _compare_and_take(
    states: StateStore, state: str, matches: Callable[[str | None, float], bool]
) -> AuthRequest | None:
    """Do what `BrowserStateStore.take_if` does, in two steps."""
    waiting = states.get(state)
    if waiting is None:
        return None
    if not matches(waiting.browser_secret_hash, waiting.created_at):
        raise BrowserMismatch("another browser began this login")
    return states.take(state)
