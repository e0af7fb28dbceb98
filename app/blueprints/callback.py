"""GET /auth/callback: the authorization server sends the browser back."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.atproto.errors import AccessDenied, StateUnknown, printable
from app.flows.destination import Destination

from . import cookies
from .access import access
from .context import flows
from .entering import enter
from .errors import Failure, error_page, shows_failure
from .login import host_name, login_page

bp = Blueprint("callback", __name__)


def show_failed(failure: Failure) -> Response | str:
    """Show why nobody was signed in, with a way to try again that loses nothing.

    An answered login that comes again, by a reload or the back button, sends a person
    who is signed in on.
    """
    error = failure.error
    if isinstance(error, StateUnknown):
        signed_in = flows().renew.renew(cookies.session_secret())
        if signed_in is not None:
            return enter(signed_in, "")
    if isinstance(error, AccessDenied) and error.app_state:
        destination = Destination.unpack(error.app_state)
        return login_page(
            identifier=destination.identifier,
            return_to=destination.return_to,
            failure=failure,
        )
    return error_page(failure)


@bp.get("/auth/callback")
@shows_failure(show_failed)
@access("callback")
def callback() -> Response:
    """Finish the login and sign the person in (requirement 6.17)."""
    finished = flows().finish_login.finish(
        list(request.args.items(multi=True)),
        bindings=cookies.flow_secrets(),
        device=printable(request.headers.get("User-Agent")),
        replaces=cookies.session_secret(),
    )
    session = finished.signed_in.session
    response = enter(finished.signed_in, finished.return_to)
    cookies.set_session(response, finished.signed_in, finished.secret)
    cookies.end_flow(response, state=request.args["state"])
    cookies.remember(
        response,
        cookies.RememberedAccount(
            did=session.did, handle=session.handle, host=host_name(finished.issuer)
        ),
    )
    return response
