"""One refresh of one session by the one who leases it (RFC 6749 §6).

Everything slow and everything that may refuse comes before the request (requirement
7.10); between its answer and the commit of the new pair there is nothing (7.8). Only
what requirement 7.17 lists ends the session, all else leaves it for another try.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

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
from ..oauth.server import REVOCATION_BUDGET
from ..records import with_tokens
from ..scopes.scope import ATPROTO

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..discovery.server_metadata import AuthorizationServer
    from ..oauth.client_auth import Binding, Bindings
    from ..oauth.issuer_verification import Evidence, EvidenceCollector
    from ..oauth.server import Answer, ServerAgent
    from ..records import OAuthSession
    from ..stores.protocols import SessionStore

log = logging.getLogger(__name__)

EVIDENCE_BUDGET: Final = 10.0
"""Seconds for proving that the issuer still speaks for the account."""

SECOND_TRY_AFTER: Final = 1.0
COMMIT_AGAIN_AFTER: Final = (0.1, 0.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Renews leased sessions; the lease itself is the caller's business."""

    agent: ServerAgent
    evidence: EvidenceCollector
    bindings: Bindings
    sessions: SessionStore
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def renew(
        self, session: OAuthSession, *, holder: str, deadline: Deadline
    ) -> OAuthSession:
        """Return the session with its new pair, which is stored already.

        Raises:
            SessionEnded: for the reasons of requirement 7.17; the caller deletes it.
            AtprotoError: in its other kinds; the session is as it was.
        """
        if session.refresh_token is None:
            raise SessionEnded("not_refreshable")
        binding = self._binding_of(session)
        latest = self.clock() + deadline.remaining()
        server, evidence = self._confirm(session, binding, deadline)
        ask = partial(
            self._ask_in_time,
            latest,
            server,
            session.refresh_token,
            binding,
            deadline=deadline,
            nonce=session.as_nonce,
        )
        try:
            answer = self._ask(ask, deadline)
        except RefreshRejected as error:
            return self._rotated_elsewhere(session, error, holder=holder)
        renewed = _renewed(
            session, answer, server=server, evidence=evidence, now=self.clock()
        )
        stored = self._keep(renewed, session, holder=holder, binding=binding)
        self._judge(stored, answer, binding)
        return stored

    def _binding_of(self, session: OAuthSession) -> Binding:
        """Return the keys of the session, or end it before anything is sent (7.4)."""
        try:
            return self.bindings.of(session)
        except KeyUnavailable as error:
            raise SessionEnded("key_gone") from error

    def _confirm(
        self, session: OAuthSession, binding: Binding, deadline: Deadline
    ) -> tuple[AuthorizationServer, Evidence]:
        try:
            return self.evidence.confirm(
                session, deadline=deadline.within(EVIDENCE_BUDGET)
            )
        except IssuerMismatch as error:
            self._revoke(session, binding)
            raise SessionEnded("moved") from error

    def _ask_in_time(self, latest: float, *what: Any, **how: Any) -> Answer:
        """Send the refresh token, unless this machine has slept past its budget.

        The deadline's clock stands still meanwhile, other nodes' do not: the lease is
        theirs by now, and a token that they have used must not come again (7.7).
        """
        if self.clock() > latest:
            raise RefreshBusy("the time of this refresh is over, somebody may be next")
        return self.agent.refresh(*what, **how)

    def _ask(self, ask: Callable[[], Answer], deadline: Deadline) -> Answer:
        """Ask for a new pair; once more when no answer came (requirement 7.11).

        If the first request was acted upon, the old pair is dead and nothing can be
        lost by the second; if it was not, the second brings the new pair.
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
        """Return the pair that somebody stored meanwhile, our lease having run out."""
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
        binding: Binding,
    ) -> OAuthSession:
        """Commit the new pair, or revoke it (requirements 7.8 and 7.9)."""
        try:
            if self._commit(renewed, holder):
                return renewed
            stored = self.sessions.get(session.did, session.session_id)
        except Exception as error:
            self._revoke(renewed, binding)
            raise SessionEnded("lost") from error
        if stored is not None and _is_newer(stored, session):
            return stored  # an earlier commit did arrive, or somebody overtook us
        self._revoke(renewed, binding)
        raise SessionEnded("unknown" if stored is None else "lost")

    def _commit(self, renewed: OAuthSession, holder: str) -> bool:
        for pause in COMMIT_AGAIN_AFTER:
            try:
                return self.sessions.replace(renewed, holder=holder)
            except Exception:
                log.exception("the new tokens of %s are not stored yet", renewed.did)
            self.sleep(pause)
        return self.sessions.replace(renewed, holder=holder)

    def _judge(self, stored: OAuthSession, answer: Answer, binding: Binding) -> None:
        """Look at the rest of the answer, now that the pair is safe."""
        subject = answer.document.get("sub")
        if subject is not None and subject != stored.did:
            self._revoke(stored, binding)
            raise SessionEnded("subject")
        if answer.nonce is None:
            log.warning("refresh answer of %s has no DPoP nonce", stored.issuer)  # 5.9
        if ATPROTO not in stored.scope.split():
            log.warning("%s granted %s no atproto scope", stored.issuer, stored.did)

    def _revoke(self, session: OAuthSession, binding: Binding) -> None:
        deadline = Deadline.after(REVOCATION_BUDGET)
        self.agent.end(session, binding, deadline=deadline)


def _is_newer(stored: OAuthSession, session: OAuthSession) -> bool:
    """Tell whether somebody has stored another pair since we read ours."""
    ours = session.access_token, session.refresh_token
    return (stored.access_token, stored.refresh_token) != ours


def _worth_another(error: HostUnreachable, deadline: Deadline) -> bool:
    if deadline.remaining() <= SECOND_TRY_AFTER or isinstance(error, HostCircuitOpen):
        return False
    # "Try later" is an answer, and says that nothing was done: 429 and the like.
    return not isinstance(error, HostFailing) or error.status >= 500


def _renewed(
    session: OAuthSession,
    answer: Answer,
    *,
    server: AuthorizationServer,
    evidence: Evidence,
    now: float,
) -> OAuthSession:
    same_pds = evidence.pds == session.pds
    return replace(
        with_tokens(session, answer.document, now=now),
        pds=evidence.pds,
        token_endpoint=server.token_endpoint,
        revocation_endpoint=server.revocation_endpoint,
        as_nonce=answer.nonce or session.as_nonce,
        pds_nonce=session.pds_nonce if same_pds else None,
        verified_at=evidence.seen_at,
    )
