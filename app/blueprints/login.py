"""GET and POST /auth/login: the form, and the way to the person's own host."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template, request, url_for

from app.atproto.errors import IdentifierInvalid
from app.flows.ports import User

from . import cookies
from .access import access
from .context import flows, site
from .entering import enter, see_other
from .errors import Failure, shows_failure
from .redirects import ReturnToInvalid

bp = Blueprint("login", __name__)


def login_page(
    *,
    identifier: str = "",
    return_to: str = "",
    prompt: str = "",
    signed_in: User | None = None,
    failure: Failure | None = None,
) -> str:
    """Render the form with whatever is known already."""
    error = failure.error if failure else None
    suggestion = error.suggestion if isinstance(error, IdentifierInvalid) else None
    here = site()
    return render_template(
        "login.html",
        page_title="Sign in",
        identifier=suggestion or identifier,
        suggestion=suggestion,
        return_to=return_to,
        prompt=prompt,
        scope="",
        remembered=cookies.remembered_accounts(),
        signup_hosts=here.signup_hosts,
        handle_suffix=here.handle_suffix or "",
        notice=failure.notice() if failure else None,
        signed_in=signed_in,
    )


def show_again(failure: Failure) -> str:
    """Render the form with what was typed, and what was wrong with it."""
    fields = request.form if request.method == "POST" else request.args
    return login_page(
        identifier=fields.get("identifier", ""),
        return_to=""
        if isinstance(failure.error, ReturnToInvalid)
        else fields.get("return_to", ""),
        prompt=fields.get("prompt", ""),
        failure=failure,
    )


@bp.get("/auth/login")
@shows_failure(show_again)
@access("page")
def show() -> Response | str:
    """Show the form; whoever is signed in goes straight on with a fresh token."""
    return_to = site().returns.parse(request.args.get("return_to"))
    prompt = request.args.get("prompt", "")
    signed_in = flows().renew.renew(cookies.session_secret())
    if signed_in is not None and not prompt:
        return enter(signed_in, return_to)
    return login_page(
        identifier=request.args.get("identifier", ""),
        return_to=return_to,
        prompt=prompt,
        signed_in=signed_in.user if signed_in else None,
    )


@bp.post("/auth/login")
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """Begin a login and send the browser to the host; or forget an account."""
    return_to = site().returns.parse(request.form.get("return_to"))
    if "forget" in request.form:
        return _forget(return_to)
    return begin(
        request.form.get("identifier", ""),
        return_to=return_to,
        prompt=request.form.get("prompt") or None,
    )


def begin(identifier: str, *, return_to: str, prompt: str | None) -> Response:
    """Begin a login and send the browser, with the flow's secret, to the host."""
    started = flows().start_login.start(
        identifier,
        return_to=return_to,
        address=request.remote_addr or "",
        prompt=prompt,
    )
    response = see_other(started.url)
    cookies.begin_flow(response, state=started.state, secret=started.secret)
    return response


def _forget(return_to: str) -> Response:
    response = see_other(
        url_for(
            "login.show",
            return_to=return_to or None,
            prompt=request.form.get("prompt") or None,
        )
    )
    cookies.forget(response, request.form["forget"])
    return response


def host_name(url: str) -> str:
    """Return what people call a host."""
    return urlsplit(url).hostname or url
