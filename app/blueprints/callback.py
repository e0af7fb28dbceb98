"""GET /auth/callback: the redirect URI, where authorization servers send browsers."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request, url_for

from app.atproto.errors import (
    AccessDenied,
    AtprotoError,
    AuthorizationFailed,
    StateUnknown,
    printable,
)
from app.atproto.syntax.grammar import host_of
from app.flows.callback import LoginFinished, ScopeUpgradeSuperseded
from app.flows.destination import Destination, destination_of
from app.flows.errors import NativeLoginClosed
from app.flows.session import SignedIn
from app.web import cookies
from app.web.access import access
from app.web.context import flows
from app.web.errors import Failure, error_page, shows_failure
from app.web.responses import redirect_signed_in, see_other
from app.web.scope_upgrade import is_of, upgrade_page

from . import native_confirm
from .login import begin, login_page

bp = Blueprint("callback", __name__)


# A host that could not do what `prompt` asked may work without it (requirement 4.10).
PROMPT_REFUSALS = frozenset(
    {
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "login_required",
    }
)


def show_failed(failure: Failure) -> Response | str:
    """Show why the login failed, with a way to try again that keeps the destination."""
    error, aim = failure.error, destination_of(failure.error)
    if aim.native or isinstance(error, NativeLoginClosed):
        return native_confirm.failed_page(failure)
    if not isinstance(error, AtprotoError) or error.app_state is None:
        return _unrecognised(failure)
    if _deserves_another_try(error, aim):
        return begin(replace(aim, prompt=""))
    unchanged = _unchanged(aim)
    if unchanged is not None:
        return _as_before(unchanged, aim, failure)
    if isinstance(error, AccessDenied):
        return login_page(replace(aim, prompt=""), failure=failure)
    return error_page(failure)


def _unchanged(aim: Destination) -> SignedIn | None:
    """Return the session that a failed scope upgrade leaves alone (requirement 8.10).

    Or the session that another tab of the same person has replaced it with since.
    """
    if not aim.upgrades:
        return None
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None:
        return None
    is_theirs = signed_in.session.sid == aim.upgrades or is_of(signed_in, aim)
    return signed_in if is_theirs else None


def _as_before(
    signed_in: SignedIn, aim: Destination, failure: Failure
) -> Response | str:
    """Redirect a person who denied; show the others what failed, and the way back."""
    if isinstance(failure.error, AccessDenied):
        return redirect_signed_in(signed_in, aim.return_to)
    return upgrade_page(signed_in, aim, failure=failure)


def _unrecognised(failure: Failure) -> Response | str:
    """Redirect a person who is signed in: the page was reloaded or gone back to."""
    if isinstance(failure.error, StateUnknown):
        signed_in = flows().renew(cookies.session_secret())
        if signed_in is not None:
            return redirect_signed_in(signed_in, "")
    return error_page(failure)


def _deserves_another_try(error: Exception, aim: Destination) -> bool:
    """Tell whether to ask again without a prompt, once (requirement 4.10)."""
    return (
        isinstance(error, AuthorizationFailed)
        and error.code in PROMPT_REFUSALS
        and aim.prompt != ""
    )


@bp.get("/auth/callback")
@shows_failure(show_failed)
@access("callback")
def callback() -> Response:
    """Finish the login and sign the person in (requirement 6.17), or ask about an app.

    A native login leaves the session of this browser as it is.
    """
    finished = flows().finish_login.finish(
        list(request.args.items(multi=True)),
        browser_secrets=cookies.flow_secrets(),
        device=printable(request.headers.get("User-Agent")),
        replaces=cookies.session_secret(),
    )
    if isinstance(finished, ScopeUpgradeSuperseded):
        response = _ask_again(finished.destination)
    elif finished.destination.native:
        response = native_confirm.begin(finished)
    else:
        response = _sign_in(finished)
    cookies.end_flow(response, state=request.args["state"])
    return response


def _ask_again(aim: Destination) -> Response:
    """Redirect to login, which asks for the permissions that are still missing."""
    return see_other(
        url_for("login.show", return_to=aim.return_to or None, scope=aim.scope or None)
    )


def _sign_in(finished: LoginFinished) -> Response:
    session = finished.signed_in.session
    response = redirect_signed_in(finished.signed_in, finished.destination.return_to)
    cookies.set_session(response, finished.signed_in, finished.secret)
    cookies.remember(
        response,
        cookies.RememberedAccount(
            did=session.did, handle=session.handle, host=host_of(finished.issuer)
        ),
    )
    if finished.moved_from:
        cookies.note_move(response, host_of(finished.moved_from))
    return response
