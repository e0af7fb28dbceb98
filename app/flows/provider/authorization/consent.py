"""GET and POST /oauth/consent: a held request goes on, and the person decides.

The answer counts for the account that the page has named, once, from a form of ours
(RFC 6749 sections 10.12 and 10.13, RFC 9700 section 4.16).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace

from app.atproto.crypto.encoding import sha256_hex
from app.flows.ports import Session

from .answers import Answer
from .authorize import Authorize, Question, Waits
from .errors import (
    ClientNotKnown,
    RedirectUriInvalid,
    RequestExpired,
    RequestRefused,
)
from .rules import First, Visitor, refuse
from .waiting import GivenAnswer, WaitingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The question, for the page; `mark` names the session that it was shown to."""

    question: Question
    secret: str = field(repr=False)
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingApp:
    """The app of a held request, for the sign-in page.

    `mark` names the session of this browser, "" without one.
    """

    name: str
    redirect_uri: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRequest:
    """Goes on with a held request."""

    authorize: Authorize

    def show(
        self, secret: str, *, cookie: str | None, mark: str = ""
    ) -> Answer | Waits | Ask:
        """Return the answer, what comes first, or the question.

        `mark` names the session that the person has chosen on a page of ours. Of a
        request that was just answered in this browser, the same answer again.

        Raises:
            RequestExpired: unknown, answered, or over.
            ClientNotKnown, RedirectUriInvalid: the registration has changed meanwhile.
            AccountDisabled: the platform has disabled this account.
        """
        try:
            return self._shown(secret, cookie, mark)
        except RequestExpired:
            return self._again(secret, cookie)

    def _shown(
        self, secret: str, cookie: str | None, mark: str
    ) -> Answer | Waits | Ask:
        held = self.authorize.keep.held(secret)
        try:
            found = self._judged(secret, held, cookie=cookie, mark=mark)
        except RequestRefused as refused:
            return self._refused(secret, held, refused, cookie=cookie)
        if isinstance(found, First):
            return Waits(secret=secret, first=found)
        if isinstance(found, Question):
            own = mark_of(found.session, secret)
            return Ask(question=found, secret=secret, mark=own)
        return self._granted(secret, held, found.session, is_consent=False)

    def waits_for(self, secret: str, *, cookie: str | None) -> WaitingApp | None:
        """Return the app whose request waits for an answer.

        None if no request waits, or its registration has changed.
        """
        try:
            held = self.authorize.keep.held(secret)
            client = self.authorize.read.again(held.request)
        except (RequestExpired, ClientNotKnown, RedirectUriInvalid):
            return None
        session = self.authorize.session(cookie)
        return WaitingApp(
            name=client.registration.name,
            redirect_uri=held.request.redirect_uri,
            mark=mark_of(session, secret) if session else "",
        )

    def allow(
        self, secret: str, *, mark: str, cookie: str | None
    ) -> Answer | Waits | Ask:
        """Return the answer with a code; the question again if it was for another.

        Raises as `show` does.
        """
        shown = self.show(secret, cookie=cookie, mark=mark)
        if not isinstance(shown, Ask) or not shown.question.is_allowed:
            return shown
        if not hmac.compare_digest(shown.mark.encode(), mark.encode()):
            return shown
        try:
            held = self.authorize.keep.held(secret)
            return self._granted(secret, held, shown.question.session, is_consent=True)
        except RequestExpired:  # the form came twice at the same moment
            return self._again(secret, cookie)

    def deny(self, secret: str, *, cookie: str | None) -> Answer:
        """Return the answer `access_denied`; the same again at a second press.

        Raises:
            RequestExpired: unknown, allowed, or over.
        """
        try:
            held = self.authorize.keep.held(secret)
            return self._denied(secret, held, cookie)
        except RequestExpired:
            return self._again(secret, cookie, is_denied=True)

    def _judged(
        self, secret: str, held: WaitingRequest, *, cookie: str | None, mark: str
    ) -> Visitor | First | Question:
        client = self.authorize.read.again(held.request)
        visitor = self.authorize.visitor(cookie, held.request)
        if visitor is not None:
            own = mark_of(visitor.session, secret)
            is_chosen = hmac.compare_digest(own.encode(), mark.encode())
            visitor = replace(visitor, is_chosen=is_chosen)
        return self.authorize.judged(client, held.request, visitor, held=held)

    def _granted(
        self, secret: str, held: WaitingRequest, session: Session, *, is_consent: bool
    ) -> Answer:
        return self.authorize.grant(
            held.request,
            session,
            is_consent=is_consent,
            first=lambda: self.authorize.keep.answer(secret, held),
            last=lambda answer, code: self.authorize.keep.note_answer(
                secret,
                GivenAnswer(
                    sid=session.sid,
                    client_id=held.client_id,
                    code=code,
                    url=answer.url,
                ),
            ),
        )

    def _again(
        self, secret: str, cookie: str | None, *, is_denied: bool = False
    ) -> Answer:
        """Return the answer that this session got, while its code was not used.

        A second press, or a form that the browser sends again, shows what the first one
        brought. A used code is not repeated: that ends its grant. A person who says no
        after all gets no code.

        Raises:
            RequestExpired: there is none.
        """
        given = self.authorize.keep.given(secret)
        if given is None or self._sid(cookie) != given.sid:
            raise RequestExpired("no such request waits for an answer")
        if given.code and (is_denied or not self._is_open(given)):
            raise RequestExpired("the code of this request was given")
        return Answer(url=given.url)

    def _denied(self, secret: str, held: WaitingRequest, cookie: str | None) -> Answer:
        try:
            refuse(held.request, "access_denied", "the person said no")
        except RequestRefused as refused:
            return self._refused(secret, held, refused, cookie=cookie)

    def _is_open(self, given: GivenAnswer) -> bool:
        codes = self.authorize.grant.codes
        return codes.is_open(given.code, client_id=given.client_id)

    def _sid(self, cookie: str | None) -> str:
        session = self.authorize.session(cookie)
        return session.sid if session else ""

    def _refused(
        self,
        secret: str,
        held: WaitingRequest,
        refused: RequestRefused,
        *,
        cookie: str | None,
    ) -> Answer:
        """Return the answer with an error, and keep it for a second press."""
        answer = self.authorize.answers.with_error(refused)
        given = GivenAnswer(
            sid=self._sid(cookie), client_id=held.client_id, code="", url=answer.url
        )
        with self.authorize.grant.together():
            self.authorize.keep.answer(secret, held)
            self.authorize.keep.note_answer(secret, given)
        return answer


def mark_of(session: Session, secret: str) -> str:
    """Return what says that a page was answered: its request and session, hashed."""
    return sha256_hex(f"{secret}\n{session.sid}")
