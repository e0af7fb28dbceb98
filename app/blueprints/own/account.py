"""GET and POST /auth/account: the account page, with the person's sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flask import Blueprint, Response, make_response, render_template, request, url_for

from app.atproto.errors import AtprotoError, printable
from app.atproto.syntax.grammar import host_of
from app.blueprints.logout import leave_browser, signed_out
from app.blueprints.provider.leading import where
from app.flows.errors import (
    NotSignedIn,
    TooManyRequests,
    UsernameChangesOff,
    UsernameChangeTooSoon,
    UsernameInvalid,
    UsernameReserved,
    UsernameTaken,
)
from app.flows.people.trail import AuditEvent
from app.flows.ports import Session, User
from app.flows.sessions.session import SignedIn
from app.web import cookies
from app.web.context import flows, site
from app.web.errors import Failure, error_page, shows_failure
from app.web.languages.choice import gettext as _
from app.web.pages.device_name import name_of
from app.web.pages.event_text import event_in_words
from app.web.pages.permission_text import word_by_word
from app.web.pages.scope_text import told
from app.web.responses import see_other
from app.web.security.access import access, is_speculative

bp = Blueprint("account", __name__)

OTHERS = "others"
"""The form value that ends every session but this one; no session has this id."""


SHOWN_HERE = (
    AtprotoError,
    TooManyRequests,
    UsernameChangeTooSoon,
    UsernameChangesOff,
    UsernameInvalid,
    UsernameReserved,
    UsernameTaken,
)
"""Failures that the person can do something about on the account page."""


def show_again(failure: Failure) -> Response | str:
    """Show the account page with what failed; without a session, redirect to login."""
    if isinstance(failure.error, NotSignedIn):
        return _to_login()
    if not isinstance(failure.error, SHOWN_HERE):
        return error_page(failure)
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None or signed_in.user is None:
        return _to_login()
    return _page(signed_in, signed_in.user, failure)


@bp.get("/auth/account")
@shows_failure(show_again)
@access("page")
def show() -> Response:
    """Show the account and its sessions, or redirect to login and back."""
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None:
        return _to_login()
    if signed_in.user is None or signed_in.token is None:
        return see_other(url_for("signup.show"))
    response = make_response(_page(signed_in, signed_in.user))
    cookies.set_platform_token(response, signed_in.token)
    if not is_speculative():
        cookies.MOVED.end(response)
    return response


@bp.post("/auth/account")
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """End this session, another one, or all but this one."""
    secret, sid = cookies.session_secret(), request.form.get("end", "")
    if sid == OTHERS:
        flows().devices.end_others(secret)
        return see_other(url_for("account.show", ended=OTHERS))
    ended = flows().devices.end(secret, sid)
    if ended.is_here:
        leave_browser()
        return signed_out(ended.revocation)
    return see_other(url_for("account.show", ended="one"))


def _page(signed_in: SignedIn, user: User, failure: Failure | None = None) -> str:
    here, *others = flows().devices.list(signed_in.session)
    return render_template(
        "account.html",
        page_title=_("Your account"),
        user=user,
        handle_checked_at=user.handle_checked_at,
        here=_described(here),
        others=[_described(session) for session in others],
        ended=request.args.get("ended", ""),
        done=request.args.get("done", ""),
        notice=failure.notice() if failure else None,
        apps=_described_apps(user),
        events=described_events(flows().own_events(signed_in.session.did)),
        moved_from=printable(cookies.MOVED.read()) or None,
        remembered=[a for a in cookies.remembered_accounts() if a.did != user.did],
        **_renaming(user),
    )


def _renaming(user: User) -> dict[str, object]:
    """Return what the page says about changes of the username."""
    change = flows().own_account.change_username
    possible_at = change.possible_at(user)
    return {
        "typed": request.form.get("username", ""),
        "may_change": possible_at is not None and possible_at <= site().clock(),
        "may_change_at": possible_at,
        "change_days": math.ceil((change.interval or 0) / 86_400),
        "hold_days": math.ceil(site().username_hold / 86_400),
    }


def described_events(events: Sequence[AuditEvent]) -> list[dict[str, object]]:
    """Return what pages show of a person's own events."""
    name = site().platform_name
    return [
        {"what": event_in_words(event, name), "when": event.created_at}
        for event in events
    ]


def _described(session: Session) -> dict[str, object]:
    return {
        "sid": session.sid,
        "name": name_of(session),
        "is_app": session.app_name is not None,
        "since": session.created_at,
        "seen": session.seen_at,
        "until": session.expires_at,
        "host": host_of(session.issuer) if session.issuer else None,
        "is_connected": session.scope is not None,
        "permissions": word_by_word(session.scope or ""),
    }


def _described_apps(user: User) -> list[dict[str, object]]:
    return [
        {
            "client_id": app.client_id,
            "name": app.registration.name,
            "where": where(app.registration.redirect_uris[0]),
            "since": app.since,
            "used_at": app.used_at,
            "tells": told(app.scope, app.registration),
        }
        for app in flows().own_account.apps.list(user.did)
    ]


def _to_login() -> Response:
    return see_other(url_for("login.show", return_to=url_for("account.show")))
