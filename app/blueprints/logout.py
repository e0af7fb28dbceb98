"""GET and POST /auth/logout: end this browser's session."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request

from app.atproto.client import Revocation
from app.atproto.syntax.grammar import host_of
from app.web import cookies
from app.web.context import flows, site
from app.web.security.access import access, is_from_elsewhere

bp = Blueprint("logout", __name__)


@bp.get("/auth/logout")
@access("page")
def show() -> Response:
    """Sign out, or ask first when another site caused the navigation."""
    return_to = site().returns.parse(request.args.get("return_to"))
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None or not is_from_elsewhere():
        return _sign_out(return_to)
    page = render_template(
        "logout.html",
        page_title="Sign out?",
        user=signed_in.user
        or {
            "username": signed_in.session.handle or signed_in.session.did,
            "handle": None,
        },
        return_to=return_to,
    )
    return make_response(page)


@bp.post("/auth/logout")
@access("form")
def submit() -> Response:
    """Sign out here at once, and at the host if it answers."""
    return_to = site().returns.parse(request.form.get("return_to"))
    return _sign_out(return_to, is_kept="keep" in request.form)


def _sign_out(return_to: str, *, is_kept: bool = False) -> Response:
    revocation = flows().logout(
        secret=cookies.session_secret(),
        token=next(iter(cookies.platform_tokens()), None),
    )
    return signed_out(revocation, return_to, is_kept=is_kept)


def signed_out(
    revocation: Revocation | None, return_to: str = "", *, is_kept: bool = False
) -> Response:
    """Clear the cookies and say what was done, here and at the host.

    The account is also forgotten on this device unless it `is_kept`: others may use it.
    """
    page = render_template(
        "signed_out.html",
        page_title="Signed out",
        host=host_of(revocation.issuer) if revocation else None,
        is_asked=revocation is not None and revocation.is_asked,
        return_to=return_to,
    )
    response = make_response(page)
    if not is_kept:
        cookies.forget_signed_in(response)
    cookies.clear_signed_in(response)
    return response
