"""GET and POST /auth/login: the sign-in form, and the redirect to the person's host."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request, url_for

from app.atproto.errors import HandleMismatch, IdentifierInvalid
from app.flows.account.ended import SessionEnd
from app.flows.errors import ScopeRefused
from app.flows.login.destination import Destination
from app.flows.ports import User
from app.flows.sessions.session import SignedIn
from app.web import cookies
from app.web.context import flows, site
from app.web.errors import Failure, shows_failure
from app.web.languages.choice import gettext as _
from app.web.languages.choice import ui_locales
from app.web.pages.scope_upgrade import is_due, is_of, upgrade_page
from app.web.pages.session_end import end_notice
from app.web.redirect_loop import is_loop, loop_page, note_round
from app.web.responses import redirect_signed_in, see_other
from app.web.return_to import ReturnToInvalid
from app.web.security.access import access, is_speculative

from .provider.leading import waiting_app

bp = Blueprint("login", __name__)

FIELDS = ("identifier", "return_to", "prompt", "scope")
REFUSED_FIELDS = {ReturnToInvalid: "return_to", ScopeRefused: "scope"}
"""Fields that a link sets and no person types: after a refusal, the form omits them."""


def login_page(
    destination: Destination,
    *,
    signed_in: User | None = None,
    failure: Failure | None = None,
    end: SessionEnd | None = None,
) -> str:
    """Render the form with what is known already; `end` says why one is signed out."""
    error = failure.error if failure else None
    notice = failure.notice() if failure else None
    suggestion = _suggestion(error)
    here = site()
    return render_template(
        "login.html",
        page_title=_("Sign in"),
        identifier=suggestion or destination.identifier,
        suggestion=suggestion,
        return_to=destination.return_to,
        prompt=destination.prompt,
        scope=destination.scope,
        remembered=cookies.remembered_accounts(),
        signup_hosts=here.signup_hosts,
        example=here.example_handle,
        has_typeahead=here.has_typeahead,
        is_email=isinstance(error, IdentifierInvalid) and error.kind == "email",
        notice=end_notice(end) if end else notice,
        signed_in=signed_in,
        is_invited=bool(cookies.INVITATION.read()),
        app=waiting_app(destination.return_to),
    )


def _suggestion(error: Exception | None) -> str | None:
    """Return what may have been meant: another handle, or the host as a server."""
    if isinstance(error, IdentifierInvalid):
        return error.suggestion
    return error.server if isinstance(error, HandleMismatch) else None


def show_again(failure: Failure) -> str:
    """Render the form with what was typed and what is wrong with it."""
    refused = REFUSED_FIELDS.get(type(failure.error))
    given = _given()
    destination = Destination(**given | ({refused: ""} if refused else {}))
    signed_in = flows().renew(cookies.session_secret())
    if (
        signed_in
        and not refused
        and is_of(signed_in, destination)
        and is_due(signed_in, destination)
    ):
        return upgrade_page(signed_in, destination, failure=failure)
    user = signed_in.user if signed_in else None
    return login_page(destination, signed_in=user, failure=failure)


@bp.get("/auth/login")
@shows_failure(show_again)
@access("page")
def show() -> Response | str:
    """Show the form, or redirect a signed-in person at once with a fresh token.

    A signed-in person sees a question first when their host has to be asked for more
    than it grants (requirement 8.10).
    """
    destination = _destination()
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None:
        return _signed_out(destination)
    if is_due(signed_in, destination):
        return upgrade_page(signed_in, destination)
    if not destination.prompt:
        return _go_on(signed_in, destination.return_to)
    return login_page(destination, signed_in=signed_in.user)


def _signed_out(destination: Destination) -> Response:
    """Show the form, and once why a session that this browser names has ended."""
    end = flows().own_account.explain_end(cookies.session_secret())
    response = make_response(login_page(destination, end=end))
    if end is not None and not is_speculative():
        cookies.clear_signed_in(response)
    return response


def _go_on(signed_in: SignedIn, return_to: str) -> Response:
    """Redirect with a fresh token, unless that has led in circles."""
    if is_loop(return_to):
        return loop_page(return_to)
    response = redirect_signed_in(signed_in, return_to)
    if not is_speculative():
        note_round(response, return_to)
    return response


@bp.post("/auth/login")
@shows_failure(show_again)
@access("form")
def submit() -> Response:
    """Begin a login and send the browser to the host; or forget an account."""
    destination = _destination()
    return _forget(destination) if "forget" in request.form else begin(destination)


def begin(destination: Destination, *, secret: str | None = None) -> Response:
    """Begin a login and redirect the browser, with the flow's cookie, to the host.

    `secret` is that of the flow which this one goes on with, so that the log has one
    login_id for both.
    """
    started = flows().start_login(
        destination,
        address=request.remote_addr or "",
        replaces=cookies.session_secret(),
        secret=secret,
        ui_locales=ui_locales(),
    )
    response = see_other(started.url)
    cookies.begin_flow(response, state=started.state, secret=started.secret)
    return response


def _given() -> dict[str, str]:
    """Return the fields of the form, from its page's address or as it was sent."""
    fields = request.form if request.method == "POST" else request.args
    return {name: fields.get(name, "") for name in FIELDS}


def _destination() -> Destination:
    """Return the destination of this request; `return_to` and `scope` are checked."""
    given = _given()
    given["return_to"] = site().returns.parse(given["return_to"])
    given["scope"] = flows().permissions.parse(given["scope"])
    return Destination(**given)


def _forget(destination: Destination) -> Response:
    kept = {
        name: getattr(destination, name) or None
        for name in ("return_to", "prompt", "scope")
    }
    response = see_other(url_for("login.show", **kept))
    cookies.forget(response, request.form["forget"])
    return response
