"""GET /auth/callback: the redirect URI, where authorization servers send browsers."""

from __future__ import annotations

import json
from dataclasses import replace

from flask import Blueprint, Response, g, request, url_for

from app.atproto.errors import (
    AccessDenied,
    AtprotoError,
    AuthorizationFailed,
    StateUnknown,
    printable,
)
from app.atproto.syntax.grammar import host_of
from app.flows.callback.finish import LoginFinished, ScopeUpgradeSuperseded
from app.flows.errors import AccountDisabled, NativeLoginClosed, NotAMember
from app.flows.login.destination import Destination, destination_of
from app.flows.people.deletion import Left
from app.flows.sessions.session import SignedIn
from app.telemetry.context import bind_login
from app.web import cookies
from app.web.context import flows
from app.web.errors import Failure, shows_failure
from app.web.pages.outcomes import Goodbye, Kind, Outcome
from app.web.pages.scope_upgrade import is_of
from app.web.responses import redirect_signed_in, see_other
from app.web.security.access import access

from .login import begin
from .native import confirm as native_confirm
from .provider.leading import waiting_app

bp = Blueprint("callback", __name__)

REPLAYED = frozenset({"Location", "Set-Cookie", "Content-Type", "Retry-After"})
"""Headers of an answer that are kept with it; others are set on every response."""


# A host that could not do what `prompt` asked may work without it (requirement 4.10).
PROMPT_REFUSALS = frozenset(
    {
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "login_required",
    }
)


def show_failed(failure: Failure) -> Response:
    """Redirect to why the login failed, with a way to try again from there."""
    error, destination = failure.error, destination_of(failure.error)
    if destination.native or isinstance(error, NativeLoginClosed):
        return native_confirm.failed(failure)
    if not isinstance(error, AtprotoError) or error.app_state is None:
        return _unrecognised(failure)
    if _deserves_another_try(error, destination):
        flow = cookies.flow_secret(request.args.get("state", ""))
        return begin(replace(destination, prompt=""), secret=flow)
    unchanged = _unchanged(destination)
    if unchanged is not None:
        return _as_before(unchanged, destination, failure)
    if isinstance(error, AccessDenied) or waiting_app(destination.return_to):
        again = destination
        if not destination.has_to_prove:
            again = replace(destination, prompt="")
        return Outcome(kind="login", failure=failure, destination=again).redirect()
    return Outcome(kind="error", failure=failure).redirect()


def _unchanged(destination: Destination) -> SignedIn | None:
    """Return the session that a failed scope upgrade leaves alone (requirement 8.10).

    Or the session that another tab of the same person has replaced it with since.
    """
    if not destination.upgrades:
        return None
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None:
        return None
    is_theirs = signed_in.session.sid == destination.upgrades or is_of(
        signed_in, destination
    )
    return signed_in if is_theirs else None


def _as_before(
    signed_in: SignedIn, destination: Destination, failure: Failure
) -> Response:
    """Redirect a person who denied; show the others what failed, and the way back."""
    if isinstance(failure.error, AccessDenied):
        return _stays(signed_in, destination.return_to)
    kind: Kind = "leave" if destination.leaving else "upgrade"
    return Outcome(kind=kind, failure=failure, destination=destination).redirect()


def _unrecognised(failure: Failure) -> Response:
    """Redirect a person who is signed in: the page was reloaded or gone back to.

    A person who is refused here is shown the sign-in page if it leads back to an app.
    """
    error = failure.error
    if isinstance(error, (AccountDisabled, NotAMember)) and waiting_app(
        error.return_to
    ):
        again = Destination(return_to=error.return_to)
        return Outcome(kind="login", failure=failure, destination=again).redirect()
    if isinstance(error, StateUnknown):
        signed_in = flows().renew(cookies.session_secret())
        if signed_in is not None:
            return _stays(signed_in, "")
    return Outcome(kind="error", failure=failure).redirect()


def _stays(signed_in: SignedIn, return_to: str) -> Response:
    """Redirect with a fresh token, and end the flow.

    Without the flow's cookie, the callback's URL gives no token after a sign-out.
    """
    response = redirect_signed_in(signed_in, return_to)
    cookies.end_flow(response, state=request.args.get("state", ""))
    return response


def _deserves_another_try(error: Exception, destination: Destination) -> bool:
    """Tell whether to ask again without a prompt, once (requirement 4.10)."""
    return (
        isinstance(error, AuthorizationFailed)
        and error.code in PROMPT_REFUSALS
        and destination.prompt != ""
        and not destination.has_to_prove
    )


@bp.get("/auth/callback")
@shows_failure(show_failed)
@access("callback")
def callback() -> Response:
    """Finish the login and sign the person in (requirement 6.17), or ask about an app.

    A native login leaves the session of this browser as it is. A callback that this
    browser sent before gets its first answer again.
    """
    state = request.args.get("state", "")
    g.callback_secret = secret = cookies.flow_secret(state)
    bind_login(secret)
    try:
        finished = flows().finish_login(
            list(request.args.items(multi=True)),
            browser_secrets=cookies.flow_secrets(),
            device=printable(request.headers.get("User-Agent")),
            replaces=cookies.session_secret(),
            invitation=cookies.INVITATION.read() or None,
        )
    except StateUnknown:
        g.callback_secret = ""  # this answer is not the first
        answered = flows().replay_callback.first_answer(state, secret)
        if answered is None:
            raise
        return _replayed(answered)
    if isinstance(finished, Left):
        response = _say_goodbye(finished)
    elif isinstance(finished, ScopeUpgradeSuperseded):
        response = _ask_again(finished.destination)
    elif finished.destination.native:
        response = native_confirm.begin(finished)
    else:
        response = _sign_in(finished)
    cookies.end_flow(response, state=request.args["state"])
    return response


def _ask_again(destination: Destination) -> Response:
    """Redirect to login, which asks for the permissions that are still missing."""
    return see_other(
        url_for(
            "login.show",
            return_to=destination.return_to or None,
            scope=destination.scope or None,
        )
    )


def _say_goodbye(left: Left) -> Response:
    response = Outcome(kind="left", goodbye=Goodbye.of(left.deleted)).redirect()
    cookies.forget_signed_in(response)
    cookies.MOVED.end(response)
    cookies.clear_signed_in(response)
    return response


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
        cookies.MOVED.set(response, host_of(finished.moved_from))
    return response


# --- the same callback again ----------------------------------------------------------


@bp.after_request
def keep(response: Response) -> Response:
    """Keep the first answer for a browser that did not get it, failures too."""
    if secret := g.pop("callback_secret", ""):
        answer = {
            "status": response.status_code,
            "headers": [
                (name, value) for name, value in response.headers if name in REPLAYED
            ],
            "body": "" if response.location else response.get_data(as_text=True),
        }
        state = request.args.get("state", "")
        flows().replay_callback.keep(state, secret, json.dumps(answer))
    return response


def _replayed(answered: str) -> Response:
    answer = json.loads(answered)  # ours, from the database and authenticated
    headers = [(name, value) for name, value in answer["headers"]]
    return Response(answer["body"], answer["status"], headers)
