"""GET /auth/native/open, GET and POST /auth/native/confirm: native login, browser.

The link of an app leads through us, so that only the browser that follows it can finish
the login (requirement 9.12). Once the account is proved, the person decides whether the
app may sign in. None of this signs the browser in or out.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.exceptions import BadRequest

from app.atproto.errors import AccessDenied
from app.flows.callback.finish import LoginFinished
from app.flows.errors import NativeLoginClosed
from app.flows.ports import NativeLogin, User
from app.web import cookies
from app.web.context import flows, site
from app.web.cookies import NativeVisit
from app.web.errors import Failure, error_page, shows_failure
from app.web.languages.choice import gettext as _
from app.web.languages.choice import ui_locales
from app.web.pages.outcomes import Kind, Outcome
from app.web.responses import see_other
from app.web.security.access import access

bp = Blueprint("native_confirm", __name__)


def show_again(failure: Failure) -> Response | str:
    """Show why an app's link or question cannot be answered."""
    if isinstance(failure.error, NativeLoginClosed):
        return closed(failure)
    return error_page(failure)


@bp.get("/auth/native/open")
@shows_failure(show_again)
@access("link")
def follow() -> Response:
    """Send the browser that followed an app's link to the person's host."""
    started = flows().open_native(
        request.args.get("login", ""),
        address=request.remote_addr or "",
        ui_locales=ui_locales(),
    )
    response = see_other(started.url)
    cookies.begin_flow(response, state=started.state, secret=started.secret)
    return response


@bp.get("/auth/native/confirm")
@shows_failure(show_again)
@access("page")
def show() -> Response | str:
    """Ask whether the app may sign in with the proved account."""
    visit = visit_of(request.args.get("login", ""))
    asked = flows().confirm_native.question(visit.login_id, visit.secret)
    if asked.user is None:
        return see_other(url_for("signup.show", login=visit.mark))
    return render_template(
        "confirm.html",
        page_title=_("Allow this app to sign in?"),
        app_name=asked.login.app_name,
        user_code=asked.login.user_code,
        user=asked.user,
        did=asked.session.did,
        login=visit.mark,
    )


@bp.post("/auth/native/confirm")
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """Allow or deny the app."""
    visit = visit_of(request.form.get("login", ""))
    match request.form.get("decision"):
        case "allow":
            decided = flows().confirm_native.allow(visit.login_id, visit.secret)
        case "deny":
            decided = flows().confirm_native.deny(visit.login_id, visit.secret)
        case _:
            raise BadRequest("neither allow nor deny")
    return _done(decided, visit)


def begin(finished: LoginFinished) -> Response:
    """Continue after the callback, with the cookie that may decide about the app."""
    login_id, user = finished.destination.native, finished.signed_in.user
    visit = NativeVisit.of(login_id, finished.secret)
    response = next_step(user, visit)
    if user is None or site().asks_about_apps:  # not decided yet
        cookies.begin_native(response, visit)
    return response


def next_step(user: User | None, visit: NativeVisit) -> Response:
    """Redirect to what is still to do: choose a username, decide, or the last page."""
    if user is None:
        return see_other(url_for("signup.show", login=visit.mark))
    if site().asks_about_apps:
        return see_other(url_for("native_confirm.show", login=visit.mark))
    return _done(flows().confirm_native.allow(visit.login_id, visit.secret), visit)


def visit_of(mark: str) -> NativeVisit:
    """Return the cookie that this browser has for the app that a mark names.

    Raises:
        NativeLoginClosed: nothing, or not any more.
    """
    visit = cookies.native_visit(mark)
    if visit is None:
        raise NativeLoginClosed("this browser answers for no such app")
    return visit


def failed(failure: Failure) -> Response:
    """Redirect to why an app's login failed; its link may be followed again."""
    if isinstance(failure.error, NativeLoginClosed):
        return closed(failure)
    if isinstance(failure.error, AccessDenied):
        return Outcome(kind="denied", failure=failure).redirect()
    link = {"login": cookies.flow_secret(request.args.get("state", ""))}
    again = f"{url_for('native_confirm.follow')}?{urlencode(link)}"
    told = replace(failure.told, again=again)
    return Outcome(kind="error", failure=replace(failure, told=told)).redirect()


def closed(failure: Failure) -> Response:
    """Redirect to the page that says that the app's login is over."""
    return Outcome(kind="expired", failure=failure).redirect()


def _done(decided: NativeLogin, visit: NativeVisit) -> Response:
    kind: Kind = "allowed" if decided.status == "completed" else "denied"
    response = Outcome(kind=kind, app_name=decided.app_name).redirect()
    cookies.end_native(response, visit)
    return response
