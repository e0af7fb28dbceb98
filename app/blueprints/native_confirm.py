"""GET /auth/native/open, GET and POST /auth/native/confirm: the browser's half.

An app's link leads through us, so that the browser that follows it is the one that may
finish (requirement 9.12). Once its account is proved, the person says whether the app
is let in. None of it signs this browser in, or out.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request, url_for
from werkzeug.exceptions import BadRequest

from app.atproto.errors import AccessDenied
from app.failures.messages import NextStep
from app.flows.callback import LoginFinished
from app.flows.errors import NativeLoginClosed
from app.flows.ports import NativeLogin, User
from app.web import cookies
from app.web.access import access, is_speculative
from app.web.context import flows, site
from app.web.cookies import NativeVisit
from app.web.errors import Failure, error_page, shows_failure
from app.web.responses import see_other

bp = Blueprint("native_confirm", __name__)


def show_again(failure: Failure) -> Response | str:
    """Show what became of an app's link or question."""
    if isinstance(failure.error, NativeLoginClosed):
        return over_page(failure)
    return error_page(failure)


@bp.get("/auth/native/open")
@shows_failure(show_again)
@access("page")
def follow() -> Response:
    """Send the browser that followed an app's link to the person's host."""
    if is_speculative():  # nobody has followed it yet: a first visit counts
        return Response(status=503)
    started = flows().open_native.open(
        request.args.get("login", ""), address=request.remote_addr or ""
    )
    response = see_other(started.url)
    cookies.begin_flow(response, state=started.state, secret=started.secret)
    return response


@bp.get("/auth/native/confirm")
@shows_failure(show_again)
@access("page")
def show() -> Response | str:
    """Ask whether the app may have what was proved."""
    visit = visit_of(request.args.get("login", ""))
    asked = flows().confirm_native.question(visit.login_id, visit.secret)
    if asked.user is None:
        return see_other(url_for("signup.show", login=visit.mark))
    return render_template(
        "confirm.html",
        page_title="Let an app in?",
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
    """Let the app in, or keep it out; the browser has done its part."""
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
    """Lead the browser on from its callback, with what answers for the app."""
    login_id = finished.destination.native
    visit = NativeVisit.of(login_id, finished.secret)
    response = next_step(finished.signed_in.user, visit)
    if response.location:  # not decided yet
        cookies.begin_native(response, visit)
    return response


def next_step(user: User | None, visit: NativeVisit) -> Response:
    """Lead on to what is still to do: pick a username, answer, or nothing more."""
    if user is None:
        return see_other(url_for("signup.show", login=visit.mark))
    if site().asks_about_apps:
        return see_other(url_for("native_confirm.show", login=visit.mark))
    return _done(flows().confirm_native.allow(visit.login_id, visit.secret), visit)


def visit_of(mark: str) -> NativeVisit:
    """Return what this browser holds for the app that a mark names.

    Raises:
        NativeLoginClosed: nothing, or not any more.
    """
    visit = cookies.native_visit(mark)
    if visit is None:
        raise NativeLoginClosed("this browser answers for no such app")
    return visit


def failed_page(failure: Failure) -> str:
    """Show why an app's login did not come about; its link may be followed again."""
    if isinstance(failure.error, NativeLoginClosed):
        return over_page(failure)
    if isinstance(failure.error, AccessDenied):
        return _outcome("denied", failure=failure)
    state = request.args.get("state", "")
    link = {"login": cookies.flow_secret(state)}
    step = NextStep(
        label="Try again", href=f"{url_for('native_confirm.follow')}?{urlencode(link)}"
    )
    return error_page(
        replace(failure, message=replace(failure.message, next_step=step))
    )


def over_page(failure: Failure) -> str:
    """Say that there is nothing left to decide."""
    return _outcome("expired", failure=failure)


def _done(decided: NativeLogin, visit: NativeVisit) -> Response:
    outcome = "allowed" if decided.status == "completed" else "denied"
    response = make_response(_outcome(outcome, app_name=decided.app_name))
    cookies.end_native(response, visit)
    return response


def _outcome(
    outcome: str, *, app_name: str | None = None, failure: Failure | None = None
) -> str:
    return render_template(
        "native_done.html",
        page_title="Signing in to an app",
        outcome=outcome,
        app_name=app_name,
        error=failure.notice() if failure else None,
    )
