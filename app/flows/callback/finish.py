"""Finish a login: GET /auth/callback, from the authorization response to a session.

Nothing is stored and no cookie is set before the account is proved. What follows is
`sign_in.py` for a browser and `native/callback.py` for an app.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from app.atproto.client import Completed, OAuthClient
from app.atproto.errors import AccessDenied
from app.atproto.http.client import Deadline
from app.atproto.records import OAuthSession
from app.atproto.scopes.scope import ScopeSet
from app.flows.errors import AccountDisabled, NotAMember
from app.flows.login.client_refusals import ClientRefusals
from app.flows.login.destination import Destination, destination_of
from app.flows.native.callback import HoldForApp
from app.flows.people.deletion import LeavePlatform, Left
from app.flows.people.profiles import NoteProfile
from app.flows.people.signup.admission import Admission
from app.flows.ports import NativeLogins, Session, Sessions, Users
from app.flows.provider.authorization.proofs import NoteProof
from app.flows.provider.grants.ending import MoveGrants
from app.flows.sessions.logout import EndSession
from app.flows.sessions.session import SignedIn
from app.telemetry.events import Observer, ignore, sign_in_step

from .sign_in import SignIn

CALLBACK_BUDGET = 7.0
"""Seconds for code exchange and issuer verification together (requirement 6.14), and
for the look-up of a newcomer's handle."""

REVOCATION_BUDGET = 2.5
"""Seconds for revoking a grant at the callback, which is answered within ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFinished:
    """An account is proved; `secret` is for the cookie of its session.

    With `destination.native` the session is held for that app's login, and the browser
    is not signed in. `moved_from` is the issuer of the sign-in before, if it differs.
    """

    signed_in: SignedIn
    secret: str = field(repr=False)
    issuer: str
    destination: Destination
    moved_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeUpgradeSuperseded:
    """Another tab's scope upgrade finished first, and its session stays.

    An upgrade never narrows what is granted (requirement 8.10). This one lacks a scope
    that the other brought, so its own grant was revoked; the page may ask again.
    """

    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishLogin:
    """GET /auth/callback: exchange the code, prove the account, sign in."""

    client: OAuthClient
    sessions: Sessions
    users: Users
    admission: Admission
    native_logins: NativeLogins
    sign_in: SignIn
    hold_for_app: HoldForApp
    move_grants: MoveGrants
    note_proof: NoteProof
    note_profile: NoteProfile
    ending: EndSession
    leave: LeavePlatform
    refusals: ClientRefusals
    max_sessions: int
    clock: Callable[[], float]
    observe: Observer = ignore

    def __call__(
        self,
        parameters: Sequence[tuple[str, str]],
        *,
        browser_secrets: Collection[str],
        device: str,
        replaces: str | None = None,
        invitation: str | None = None,
    ) -> LoginFinished | ScopeUpgradeSuperseded | Left:
        """Return the new session, why the present one stays, or the deleted account.

        `browser_secrets` are this browser's flow secrets, `device` is its name,
        `replaces` is the secret of its present session, which ends; `invitation` is
        that of an invitation whose link it opened.

        Raises:
            AtprotoError: the login failed; nothing was stored, no cookie is due.
            AccountDisabled: the platform has disabled this account.
            NotAMember: a newcomer whom SIGNUP_ALLOW does not let sign up.
            NativeLoginClosed: the app that started this login no longer waits.
            NotSignedIn: the session that began to leave the platform has ended.
        """
        with sign_in_step(self.observe, "finish"):
            return self._finish(
                parameters,
                browser_secrets,
                device,
                replaces=replaces,
                invitation=invitation,
            )

    def _finish(
        self,
        parameters: Sequence[tuple[str, str]],
        browser_secrets: Collection[str],
        device: str,
        *,
        replaces: str | None,
        invitation: str | None,
    ) -> LoginFinished | ScopeUpgradeSuperseded | Left:
        deadline = Deadline.after(CALLBACK_BUDGET)
        completed = self._complete(parameters, browser_secrets, deadline)
        granted = completed.session
        destination = Destination.unpack(completed.app_state)
        try:
            if destination.leaving:
                return self.leave(
                    replaces, proved=granted.did, sid=destination.upgrades
                )
            previous = self.sessions.by_secret(replaces) if replaces else None
            if _narrows(previous, granted, destination):
                self._give_back(granted)
                return ScopeUpgradeSuperseded(destination=destination)
            self._judge_newcomer(granted, invitation, deadline)
            finished = self._admit(granted, destination, device)
        except (AccountDisabled, NotAMember) as refused:
            self._give_back(granted)
            refused.return_to = destination.return_to
            if destination.native:
                refused.for_app = True
                self.native_logins.deny(destination.native, self.clock())
            raise
        except BaseException:
            self._give_back(granted)
            raise
        if not destination.native:
            self._replace(previous, finished.signed_in.session, destination)
        self.ending.end_beyond(granted.did, self.max_sessions)
        self.note_profile(finished.signed_in.session)
        return finished

    def _replace(
        self, previous: Session | None, session: Session, destination: Destination
    ) -> None:
        """Give the new session what was held for it and for the one that it replaces.

        That one ends.
        """
        self.note_proof(destination, session)
        if previous is None:
            return
        self.move_grants(previous, session)
        self.ending.end(previous, reason="signed in again", budget=REVOCATION_BUDGET)

    def _complete(
        self,
        parameters: Sequence[tuple[str, str]],
        browser_secrets: Collection[str],
        deadline: Deadline,
    ) -> Completed:
        try:
            with self.refusals.watched():
                return self.client.callback(
                    parameters,
                    browser_secrets=browser_secrets,
                    deadline=deadline,
                )
        except AccessDenied as error:
            # A denial at the host is one for the app. After any other failure the
            # person may follow the app's link again.
            if login_id := destination_of(error).native:
                self.native_logins.deny(login_id, self.clock())
            raise

    def _judge_newcomer(
        self, granted: OAuthSession, invitation: str | None, deadline: Deadline
    ) -> None:
        """Refuse a newcomer before anything is stored; the sign-up judges again.

        Raises:
            NotAMember: SIGNUP_ALLOW does not let this account sign up.
        """
        if self.admission.is_open or self.users.get(granted.did) is not None:
            return
        self.admission.expect(
            granted.did, granted.handle, invitation=invitation, deadline=deadline
        )

    def _admit(
        self, granted: OAuthSession, destination: Destination, device: str
    ) -> LoginFinished:
        if destination.native:
            held, secret = self.hold_for_app(granted, destination)
            return LoginFinished(
                signed_in=held,
                secret=secret,
                issuer=granted.issuer,
                destination=destination,
            )
        entered = self.sign_in(granted, destination, device=device)
        return LoginFinished(
            signed_in=entered.signed_in,
            secret=entered.secret,
            issuer=granted.issuer,
            destination=destination,
            moved_from=entered.moved_from,
        )

    def _give_back(self, granted: OAuthSession) -> None:
        """Revoke a grant that leads to no session (requirement 6.15)."""
        self.client.revoke(
            granted.did,
            granted.session_id,
            deadline=Deadline.after(REVOCATION_BUDGET),
            keep_unanswered=True,
        )


def _narrows(
    previous: Session | None, granted: OAuthSession, destination: Destination
) -> bool:
    """Tell whether this scope upgrade lacks what another one has brought since.

    A scope of its own session that the person has just deselected is not counted
    (requirement 8.8).
    """
    if previous is None or previous.scope is None or previous.did != granted.did:
        return False
    if destination.upgrades in {"", previous.sid}:
        return False
    return bool(ScopeSet.parse(granted.scope).missing(previous.scope))
