"""GET /oauth/authorize, and the way on from it once a person is signed in.

An app with consent gets its code at once. Any other request is held while the person
signs in or decides, and goes on at GET /oauth/consent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from app.atproto.http.types import Deadline
from app.flows.errors import AccountDisabled, PolicyNotJudged
from app.flows.limits.networks import hit_networks, network_of
from app.flows.ports import RateLimit, Session, Sessions, User, Users
from app.flows.provider.grants.ports import Consents
from app.flows.provider.policy import JudgePolicy
from app.flows.provider.redirect_uris import is_web
from app.flows.provider.registration import Client
from app.flows.sessions.session import SEEN_INTERVAL, note_use
from app.telemetry.context import bind
from app.tokens.keys import KeyRing

from .answers import Answer, AnswerApp
from .errors import ErrorCode, RequestRefused
from .grant import GrantRequest
from .hints import HintReader, with_subject
from .request import AuthorizationRequest, Parameters, ReadRequest, is_text
from .rules import First, Visitor, before_consent, refuse
from .waiting import REQUEST_URI, KeepRequests, WaitingRequest

LOOK_UP: Final = 5.0
"""Seconds for the look-up of a handle that a policy needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """A request that is held; `first` is what comes before the question, if any."""

    secret: str = field(repr=False)
    first: First | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question whether an app may be told who the person is.

    The policy of the client has to let the account in: `is_allowed`.
    """

    client: Client
    request: AuthorizationRequest
    user: User
    session: Session
    is_allowed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorize:
    """The authorization endpoint (RFC 6749 section 3.1)."""

    read: ReadRequest
    keep: KeepRequests
    read_hint: HintReader
    sessions: Sessions
    users: Users
    consents: Consents
    judge: JudgePolicy
    id_tokens: Callable[[], KeyRing]
    grant: GrantRequest
    answers: AnswerApp
    limits: RateLimit
    clock: Callable[[], float]

    def __call__(
        self, parameters: Parameters, *, cookie: str | None, address: str
    ) -> Answer | Waits:
        """Return the answer for the app, or the held request.

        `cookie` is the secret of this browser's session.

        Raises:
            ClientNotKnown, RedirectUriInvalid, RequestExpired: without a redirect.
            TooManyRequests: the limit of this address is reached.
            AccountDisabled: the platform has disabled this account.
        """
        hit_networks(self.limits, "authorize", network_of(address))
        try:
            client, request = self._read(parameters)
            self._require_key(request)
            visitor = self.visitor(cookie, request)
            found = self.judged(client, request, visitor, held=None)
        except RequestRefused as refused:
            return self.answers.with_error(refused)
        if isinstance(found, Visitor):
            return self.grant(request, found.session)
        secret = self.keep.hold(request, sid=visitor.session.sid if visitor else None)
        return Waits(secret=secret, first=found if isinstance(found, First) else None)

    def post(self, parameters: Parameters, *, address: str) -> Answer | tuple[str, str]:
        """Return client_id and `request_uri` of a request that came by POST.

        It goes on by GET: SameSite=Lax cookies do not come with the POST of another
        site.

        Raises:
            ClientNotKnown, RedirectUriInvalid, RequestExpired, TooManyRequests: as the
                call does.
        """
        hit_networks(self.limits, "authorize", network_of(address))
        try:
            _, request = self._read(parameters)
        except RequestRefused as refused:
            return self.answers.with_error(refused)
        return request.client_id, self.keep.push(request)

    def session(self, cookie: str | None) -> Session | None:
        """Return the session of this browser, or None."""
        return self.sessions.by_secret(cookie) if cookie else None

    def visitor(
        self, cookie: str | None, request: AuthorizationRequest
    ) -> Visitor | None:
        """Return who is signed in in this browser.

        Raises:
            AccountDisabled: the platform has disabled this account.
            RequestRefused: the same, for `prompt=none`.
        """
        session = self.session(cookie)
        if session is None or session.pending_for == "native":
            return None
        bind(did=session.did, sid=session.sid)
        user = self.users.get(session.did)
        if user is not None and user.disabled_at is not None:
            if "none" in request.prompt:
                refuse(request, "access_denied", "the account is disabled")
            raise AccountDisabled(user.did)
        now = self.clock()
        if now - session.seen_at >= SEEN_INTERVAL:
            note_use(self.sessions, session.sid, now)
        return Visitor(session=session, user=user)

    def judged(
        self,
        client: Client,
        request: AuthorizationRequest,
        visitor: Visitor | None,
        *,
        held: WaitingRequest | None,
    ) -> Visitor | First | Question:
        """Return the visitor who goes on to the app, or what comes first.

        Raises:
            RequestRefused: for the app.
        """
        first = before_consent(request, visitor, held=held, now=self.clock())
        if first is not None or visitor is None or visitor.user is None:
            return first or First(way="sign_in")
        is_allowed = self._is_allowed(client, request, visitor.user)
        is_asked = not is_allowed or self._asks(client, request, visitor.user)
        if not is_asked:
            return visitor
        if "none" in request.prompt:
            code: ErrorCode = "consent_required" if is_allowed else "access_denied"
            refuse(request, code, "the person has to be asked")
        return Question(
            client=client,
            request=request,
            user=visitor.user,
            session=visitor.session,
            is_allowed=is_allowed,
        )

    def _read(self, parameters: Parameters) -> tuple[Client, AuthorizationRequest]:
        pushed = [value for value in parameters.get("request_uri", ()) if value]
        if not pushed or not _is_pushed(pushed[0]):
            client, request = self.read(parameters)
            return client, with_subject(request, self.read_hint)
        client = self.read.client(parameters)
        request = self.keep.pushed(
            pushed[0] if len(pushed) == 1 else "", client_id=client.client_id
        )
        return self.read.again(request), request

    def _require_key(self, request: AuthorizationRequest) -> None:
        """Raise `RequestRefused` before anything is asked that no id_token can follow.

        An upgrade has no key for id_tokens until the next sweep makes it.
        """
        if "openid" in request.scope.split() and self.id_tokens().signing is None:
            refuse(request, "temporarily_unavailable", "there is no signing key yet")

    def _is_allowed(
        self, client: Client, request: AuthorizationRequest, user: User
    ) -> bool:
        deadline = Deadline.after(LOOK_UP)
        try:
            return self.judge(client.allow, user, deadline=deadline).is_allowed
        except PolicyNotJudged:
            refuse(
                request, "temporarily_unavailable", "the handle cannot be verified now"
            )

    def _asks(self, client: Client, request: AuthorizationRequest, user: User) -> bool:
        """Tell whether the person is asked.

        Any program of a device can pose as a public client that comes back on loopback
        or on a private-use scheme (RFC 8252 section 8.6).
        """
        registered = client.registration
        if registered.is_public and not is_web(request.redirect_uri):
            return True
        if "consent" in request.prompt:
            return True
        if registered.is_trusted:
            return False
        consent = self.consents.get(user.did, client.client_id)
        return consent is None or not consent.covers(request.scope)


def _is_pushed(request_uri: str) -> bool:
    return request_uri.startswith(REQUEST_URI) and is_text(request_uri)
