"""Grant an authorization request: consent, grant and code in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from app.flows.ports import Audit, Session, Together
from app.flows.provider.grants.ports import Consents, Grants
from app.flows.provider.grants.records import (
    MOST_GRANTS,
    Consent,
    Grant,
    GrantLifetimes,
)

from .answers import Answer, AnswerApp
from .codes import IssueCode
from .request import AuthorizationRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """Makes the grant of a request and the code that stands for it."""

    grants: Grants
    consents: Consents
    codes: IssueCode
    answers: AnswerApp
    lifetimes: GrantLifetimes
    audit: Audit
    together: Together
    together_soon: Together
    """`together`, for what a power cut may lose."""
    clock: Callable[[], float]

    def __call__(
        self,
        request: AuthorizationRequest,
        session: Session,
        *,
        is_consent: bool = False,
        first: Callable[[], None] = lambda: None,
        last: Callable[[Answer, str], None] = lambda _answer, _code: None,
    ) -> Answer:
        """Return the answer with a code.

        Only a consent waits for the disk. An app whose code is lost in a power cut has
        no tokens yet, and sends the person again.

        `is_consent`: the person has just allowed the app. `first` runs at the start of
        the transaction, `last` with answer and code at its end; what they raise leaves
        nothing behind.
        """
        now = self.clock()
        grant = self._grant(request, session, now)
        with (self.together if is_consent else self.together_soon)():
            first()
            if is_consent:
                self._note_consent(request, session, now)
            self.grants.add(grant, most=MOST_GRANTS)
            code = self.codes(
                request,
                did=session.did,
                grant_id=grant.grant_id,
                auth_time=session.created_at,
            )
            answer = self.answers.with_code(request, code)
            last(answer, code)
        return answer

    def _grant(
        self, request: AuthorizationRequest, session: Session, now: float
    ) -> Grant:
        return Grant(
            grant_id=secrets.token_urlsafe(16),
            client_id=request.client_id,
            did=session.did,
            scope=request.scope,
            session_id=session.sid,
            auth_time=session.created_at,
            created_at=now,
            used_at=now,
            expires_at=self.lifetimes.first(
                request.scope, now=now, session_expires_at=session.expires_at
            ),
        )

    def _note_consent(
        self, request: AuthorizationRequest, session: Session, now: float
    ) -> None:
        consent = Consent(
            did=session.did,
            client_id=request.client_id,
            scope=request.scope,
            given_at=now,
        )
        self.consents.give(consent)
        self.audit.record(
            "app_allowed",
            now=now,
            did=session.did,
            sid=session.sid,
            detail={"client": request.client_id, "scope": request.scope},
        )
