"""GET /: the `client_uri` of our metadata, which consent pages of hosts link to."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from app.web import cookies
from app.web.context import flows
from app.web.pages.outcomes import Outcome
from app.web.responses import see_other
from app.web.security.access import access

bp = Blueprint("home", __name__)


@bp.get("/")
@access("link")
def show() -> Response:
    """Redirect to the account, or to login.

    Some hosts send a person who denied here, instead of to the callback and without an
    error: then the login that an app awaits in this browser ends at once.
    """
    if _is_from_a_host() and flows().deny_by_flow(cookies.flow_secrets()):
        return Outcome(kind="denied").redirect()
    signed_in = flows().renew(cookies.session_secret())
    return see_other(url_for("account.show" if signed_in else "login.show"))


def _is_from_a_host() -> bool:
    """Tell whether another site sent the browser here: no one typed the address.

    An image on a page of a sibling host comes with our cookies, and is no visit.
    """
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        return False
    return request.headers.get("Sec-Fetch-Site") not in {"none", "same-origin"}
