"""GET /auth/account: who one is here."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request, url_for

from . import cookies
from .access import access
from .context import flows
from .entering import see_other

bp = Blueprint("account", __name__)


@bp.get("/auth/account")
@access("page")
def show() -> Response:
    """Say who is signed in; whoever is not goes to login and comes back."""
    signed_in = flows().renew.renew(cookies.session_secret())
    if signed_in is None:
        return see_other(url_for("login.show", return_to=request.path))
    if signed_in.user is None or signed_in.token is None:
        return see_other(url_for("signup.show"))
    page = render_template(
        "account.html",
        page_title="Your account",
        user=signed_in.user,
        session=signed_in.session,
    )
    response = make_response(page)
    cookies.set_platform_token(response, signed_in.token)
    return response
