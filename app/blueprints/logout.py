"""GET and POST /auth/logout: end this browser's session."""

from __future__ import annotations

from flask import (
    Blueprint,
    Response,
    after_this_request,
    make_response,
    render_template,
    request,
)

from app.atproto.client import Revocation
from app.atproto.syntax.grammar import host_of
from app.flows.errors import StorageFailed
from app.web import cookies
from app.web.context import flows, site
from app.web.errors import Failure, error_page, shows_failure
from app.web.languages.choice import gettext as _
from app.web.responses import see_other
from app.web.security.access import (
    access,
    is_from_a_stranger,
    is_from_elsewhere,
    is_from_platform,
)

bp = Blueprint("logout", __name__)


def show_unfinished(failure: Failure) -> str:
    """Say that this browser is signed out while the session could not be ended."""
    if not isinstance(failure.error, StorageFailed):
        return error_page(failure)
    return _signed_out_page(None, is_ended=False)


@bp.get("/auth/logout")
@shows_failure(show_unfinished)
@access("page")
def show() -> Response:
    """Sign out, or ask first when a page elsewhere caused the navigation."""
    return_to = site().returns.parse(request.args.get("return_to"))
    if not is_from_elsewhere():
        return _sign_out(return_to)
    signed_in = flows().renew(cookies.session_secret())
    if signed_in is None:
        return _sign_out(return_to)
    page = render_template(
        "logout.html",
        page_title=_("Sign out?"),
        user=signed_in.user
        or {
            "username": signed_in.session.handle or signed_in.session.did,
            "handle": None,
        },
        return_to=return_to,
        is_from_a_stranger=is_from_a_stranger(),
    )
    return make_response(page)


@bp.post("/auth/logout")
@shows_failure(show_unfinished)
@access("sign_out")
def submit() -> Response:
    """Sign out here at once, and at the host if it answers.

    A page of the platform that names a `return_to` gets its visitor back.
    """
    return_to = site().returns.parse(request.form.get("return_to"))
    page = _sign_out(return_to, is_kept="keep" in request.form)
    return see_other(return_to) if return_to and is_from_platform() else page


def _sign_out(return_to: str, *, is_kept: bool = False) -> Response:
    leave_browser(is_kept=is_kept)
    revocation = flows().logout(
        secret=cookies.session_secret(),
        token=next(iter(cookies.platform_tokens()), None),
    )
    return signed_out(revocation, return_to)


def leave_browser(*, is_kept: bool = False) -> None:
    """Clear the cookies in the answer of this request, also when the sign-out fails.

    With the database gone, the session cannot be ended, but this browser can be signed
    out. The account is also forgotten on this device unless it `is_kept`: others may
    use it.
    """

    def clear(response: Response) -> Response:
        if not is_kept:
            cookies.forget_signed_in(response)
        cookies.clear_signed_in(response)
        return response

    after_this_request(clear)


def signed_out(revocation: Revocation | None, return_to: str = "") -> Response:
    """Say what was done, here and at the host."""
    return make_response(_signed_out_page(revocation, return_to))


def _signed_out_page(
    revocation: Revocation | None, return_to: str = "", *, is_ended: bool = True
) -> str:
    return render_template(
        "signed_out.html",
        page_title=_("Signed out"),
        host=host_of(revocation.issuer) if revocation else None,
        is_asked=revocation is not None and revocation.is_asked,
        is_answered=revocation is not None and revocation.is_answered,
        is_ended=is_ended,
        return_to=return_to,
        return_host=host_of(return_to) if "://" in return_to else None,
    )
