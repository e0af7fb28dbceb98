"""GET /auth/invitation: the link of an invitation leads to the sign-in.

Opening it uses nothing up, so that a preview of a message does no harm. The secret
waits in a cookie for the sign-up; a person who has an account is not affected.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from app.flows.people.signup.invitations import PATH
from app.web import cookies
from app.web.context import flows
from app.web.responses import see_other
from app.web.security.access import access

bp = Blueprint("invitation", __name__)


@bp.get(PATH)
@access("page")
def show() -> Response:
    """Keep the invitation in this browser, and redirect to the sign-in."""
    secret = request.args.get("code", "")
    flows().admission.open_invitation(secret)
    response = see_other(url_for("login.show"))
    cookies.INVITATION.set(response, secret)
    return response
