"""The refresh request of one leased session (RFC 6749 section 6).

Every slow step and every check comes before the request (requirement 7.10); the new
tokens are committed right after its answer (requirement 7.8). Only the failures of
requirement 7.17 end the session; after all others it is tried again later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from ..discovery.accounts import AccountLocation
from ..errors import (
    HostCircuitOpen,
    HostFailing,
    HostUnreachable,
    IssuerMismatch,
    KeyUnavailable,
    RefreshBusy,
    RefreshRejected,
    SessionEnded,
)
from ..http.types import Deadline
from ..oauth.client_auth import ClientAuth, ClientAuthProvider
from ..oauth.dpop import recent
from ..oauth.issuer_verification import IssuerVerifier
from ..oauth.server import REVOCATION_BUDGET, Answer, ServerAgent
from ..records import OAuthSession, with_tokens
from ..scopes.scope import ATPROTO
from ..stores.protocols import SessionStore

log = logging.getLogger(__name__)

VERIFICATION_BUDGET: Final = 10.0
"""Seconds for verifying that the issuer still speaks for the account."""

SECOND_TRY_AFTER: Final = 1.0
COMMIT_AGAIN_AFTER: Final = (0.1, 0.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRequest:
    """Sends the refresh request of a session that the caller has leased."""

    agent: ServerAgent
    verifier: IssuerVerifier
    client_auth: ClientAuthProvider
    sessions: SessionStore
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def send(
        self, session: OAuthSession, *, holder: str, deadline: Deadline
    ) -> OAuthSession:
        """Return the session with its new tokens, which are stored already.

        Raises:
            SessionEnded: for the reasons of requirement 7.17; the caller deletes it.
            AtprotoError: any other kind; the session is unchanged.
        """
        if session.refresh_token is None:
            raise SessionEnded("not_refreshable")
        auth = self._auth_of(session)
        latest = self.clock() + deadline.remaining()
        account = self._confirm(session, auth, deadline)
        ask = partial(
            self._ask_in_time,
            latest,
            account.server,
            session.refresh_token,
            auth,
            deadline=deadline,
            nonce=recent(
                session.as_nonce, since=session.refreshed_at, now=self.clock()
            ),
        )
        try:
            answer = self._ask(ask, deadline)
        except RefreshRejected as error:
            return self._rotated_elsewhere(session, error, holder=holder)
        renewed = _renewed(session, answer, account=account, now=self.clock())
        stored = self._keep(renewed, session, holder=holder, auth=auth)
        self._check(stored, answer, auth)
        return stored

    def _auth_of(self, session: OAuthSession) -> ClientAuth:
        """Return the session's keys, or raise SessionEnded (requirement 7.4)."""
        try:
            return self.client_auth.of(session)
        except KeyUnavailable as error:
            raise SessionEnded("key_gone") from error

    def _confirm(
        self, session: OAuthSession, auth: ClientAuth, deadline: Deadline
    ) -> AccountLocation:
        try:
            return self.verifier.confirm(
                session, deadline=deadline.within(VERIFICATION_BUDGET)
            )
        except IssuerMismatch as error:
            self._revoke(session, auth)
            raise SessionEnded("moved") from error

    def _ask_in_time(self, latest: float, *what: Any, **how: Any) -> Answer:
        """Send the refresh token, unless this machine was suspended past its budget.

        The monotonic clock of the deadline stops while a machine is suspended. Another
        node may hold the lease by now and may have used the token (requirement 7.7).
        """
        if self.clock() > latest:
            raise RefreshBusy("the time of this refresh is over")
        return self.agent.refresh(*what, **how)

    def _ask(self, ask: Callable[[], Answer], deadline: Deadline) -> Answer:
        """Send the request; once more when no answer came (requirement 7.11).

        If the server processed the first request, the old tokens are revoked and a
        second request loses nothing; if it did not, the second brings new tokens.
        """
        try:
            return ask()
        except HostUnreachable as error:
            if not _worth_another(error, deadline):
                raise
            ambiguous = error.sent
            log.warning(
                "refresh_ambiguous: %s" if ambiguous else "refresh_unsent: %s", error
            )
        self.sleep(SECOND_TRY_AFTER)
        try:
            return ask()
        except RefreshRejected as error:
            raise RefreshRejected(str(error), ambiguous=ambiguous) from error

    def _rotated_elsewhere(
        self, session: OAuthSession, error: RefreshRejected, *, holder: str
    ) -> OAuthSession:
        """Return the tokens that another process stored after our lease had expired."""
        stored = self.sessions.get(session.did, session.session_id)
        if stored is None or not _is_newer(stored, session):
            raise SessionEnded("lost" if error.ambiguous else "revoked") from error
        self.sessions.release(session.did, session.session_id, holder=holder)
        return stored

    def _keep(
        self,
        renewed: OAuthSession,
        session: OAuthSession,
        *,
        holder: str,
        auth: ClientAuth,
    ) -> OAuthSession:
        """Commit the new tokens, or revoke them (requirements 7.8 and 7.9)."""
        try:
            if self._commit(renewed, holder):
                return renewed
            stored = self.sessions.get(session.did, session.session_id)
        except Exception as error:
            self._revoke(renewed, auth)
            raise SessionEnded("lost") from error
        if stored is not None and _is_newer(stored, session):
            return stored  # an earlier commit arrived, or another process was faster
        self._revoke(renewed, auth)
        raise SessionEnded("unknown" if stored is None else "lost")

    def _commit(self, renewed: OAuthSession, holder: str) -> bool:
        for pause in COMMIT_AGAIN_AFTER:
            try:
                return self.sessions.replace(renewed, holder=holder)
            except Exception:
                log.exception("the new tokens of %s are not stored yet", renewed.did)
            self.sleep(pause)
        return self.sessions.replace(renewed, holder=holder)

    def _check(self, stored: OAuthSession, answer: Answer, auth: ClientAuth) -> None:
        """Check the rest of the answer, after its tokens are stored."""
        subject = answer.document.get("sub")
        if subject is not None and subject != stored.did:
            self._revoke(stored, auth)
            raise SessionEnded("subject")
        if ATPROTO not in stored.scope.split():
            log.warning("%s granted %s no atproto scope", stored.issuer, stored.did)

    def _revoke(self, session: OAuthSession, auth: ClientAuth) -> None:
        deadline = Deadline.after(REVOCATION_BUDGET)
        self.agent.end(session, auth, deadline=deadline)


def _is_newer(stored: OAuthSession, session: OAuthSession) -> bool:
    """Tell whether other tokens were stored since we read ours."""
    ours = session.access_token, session.refresh_token
    return (stored.access_token, stored.refresh_token) != ours


def _worth_another(error: HostUnreachable, deadline: Deadline) -> bool:
    if deadline.remaining() <= SECOND_TRY_AFTER or isinstance(error, HostCircuitOpen):
        return False
    # A status such as 429 is an answer: the request was not processed.
    return not isinstance(error, HostFailing) or error.status >= 500


def _renewed(
    session: OAuthSession,
    answer: Answer,
    *,
    account: AccountLocation,
    now: float,
) -> OAuthSession:
    same_pds = account.pds == session.pds
    return replace(
        with_tokens(session, answer.document, now=now),
        pds=account.pds,
        token_endpoint=account.server.token_endpoint,
        revocation_endpoint=account.server.revocation_endpoint,
        as_nonce=answer.nonce,
        pds_nonce=session.pds_nonce if same_pds else None,
        verified_at=account.verified_at,
    )
