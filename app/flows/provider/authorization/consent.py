"""GET and POST /oauth/consent: a held request goes on, and the person decides.

The answer counts for the account that the page has named, once, from a form of ours
(RFC 6749 sections 10.12 and 10.13, RFC 9700 section 4.16).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from app.atproto.crypto.encoding import sha256_hex
from app.flows.ports import Session

from .answers import Answer
from .authorize import Authorize, Question, Waits
from .errors import RequestRefused
from .rules import First, Visitor, refuse
from .waiting import WaitingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The question, for the page; `mark` names the session that it was shown to."""

    question: Question
    secret: str = field(repr=False)
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRequest:
    """Goes on with a held request."""

    authorize: Authorize

    def show(self, secret: str, *, cookie: str | None) -> Answer | Waits | Ask:
        """Return the answer, what comes first, or the question.

        Raises:
            RequestExpired: unknown, answered, or over.
            ClientNotKnown, RedirectUriInvalid: the registration has changed meanwhile.
            AccountDisabled: the platform has disabled this account.
        """
        held = self.authorize.keep.held(secret)
        try:
            found = self._judged(held, cookie)
        except RequestRefused as refused:
            return self._refused(secret, held, refused)
        if isinstance(found, First):
            return Waits(secret=secret, first=found)
        if isinstance(found, Question):
            mark = mark_of(found.session, secret)
            return Ask(question=found, secret=secret, mark=mark)
        return self._granted(secret, held, found.session, is_consent=False)

    def allow(
        self, secret: str, *, mark: str, cookie: str | None
    ) -> Answer | Waits | Ask:
        """Return the answer with a code; the question again if it was for another.

        Raises as `show` does.
        """
        shown = self.show(secret, cookie=cookie)
        if not isinstance(shown, Ask) or not shown.question.is_allowed:
            return shown
        if not hmac.compare_digest(shown.mark.encode(), mark.encode()):
            return shown
        held = self.authorize.keep.held(secret)
        return self._granted(secret, held, shown.question.session, is_consent=True)

    def deny(self, secret: str) -> Answer:
        """Return the answer `access_denied`.

        Raises:
            RequestExpired: unknown, answered, or over.
        """
        held = self.authorize.keep.held(secret)
        try:
            refuse(held.request, "access_denied", "the person said no")
        except RequestRefused as refused:
            return self._refused(secret, held, refused)

    def _judged(
        self, held: WaitingRequest, cookie: str | None
    ) -> Visitor | First | Question:
        client = self.authorize.read.again(held.request)
        visitor = self.authorize.visitor(cookie, held.request)
        return self.authorize.judged(client, held.request, visitor, held=held)

    def _granted(
        self, secret: str, held: WaitingRequest, session: Session, *, is_consent: bool
    ) -> Answer:
        return self.authorize.grant(
            held.request,
            session,
            is_consent=is_consent,
            first=lambda: self.authorize.keep.answer(secret, held),
        )

    def _refused(
        self, secret: str, held: WaitingRequest, refused: RequestRefused
    ) -> Answer:
        self.authorize.keep.answer(secret, held)
        return self.authorize.answers.with_error(refused)


def mark_of(session: Session, secret: str) -> str:
    """Return what the form of a question carries: its request and session, hashed."""
    return sha256_hex(f"{secret}\n{session.sid}")
