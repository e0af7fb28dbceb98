"""GET and POST /auth/account: the account page, with the person's sessions."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request, url_for

from app.atproto.errors import printable
from app.atproto.syntax.grammar import host_of
from app.flows.errors import NotSignedIn
from app.flows.ports import Session
from app.flows.sessions.session import SignedIn
from app.web import cookies
from app.web.context import flows, site
from app.web.errors import Failure, error_page, shows_failure
from app.web.languages.choice import gettext as _
from app.web.pages.device_name import name_of
from app.web.pages.event_text import event_in_words
from app.web.pages.permission_text import in_words
from app.web.responses import see_other
from app.web.security.access import access

from .logout import leave_browser, signed_out

bp = Blueprint("account", __name__)

OTHERS = "others"
"""The form value that ends every session but this one; no session has this id."""


def show_again(failure: Failure) -> Response | str:
    """Redirect to login without a session; show any other failure."""
    if isinstance(failure.error, NotSignedIn):
        return _to_login()
    return error_page(failure)


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
    response = make_response(_page(signed_in))
    cookies.set_platform_token(response, signed_in.token)
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


def _page(signed_in: SignedIn) -> str:
    here, *others = flows().devices.list(signed_in.session)
    return render_template(
        "account.html",
        page_title=_("Your account"),
        user=signed_in.user,
        here=_described(here),
        others=[_described(session) for session in others],
        ended=request.args.get("ended", ""),
        events=[
            {
                "what": event_in_words(event, site().platform_name),
                "when": event.created_at,
            }
            for event in flows().own_events(signed_in.session.did)
        ],
        moved_from=printable(cookies.MOVED.read()) or None,
    )


def _described(session: Session) -> dict[str, object]:
    """Return what the account page shows of a session."""
    return {
        "sid": session.sid,
        "name": name_of(session),
        "is_app": session.app_name is not None,
        "since": session.created_at,
        "seen": session.seen_at,
        "until": session.expires_at,
        "host": host_of(session.issuer) if session.issuer else None,
        "may": in_words(session.scope or ""),
    }


def _to_login() -> Response:
    return see_other(url_for("login.show", return_to=url_for("account.show")))
