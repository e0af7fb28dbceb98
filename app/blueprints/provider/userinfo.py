"""GET and POST /oauth/userinfo: the claims that an access token opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, jsonify, request

from app.flows.limits.networks import network_of
from app.flows.provider.tokens import TokenUseCases
from app.flows.provider.tokens.userinfo import BearerError, BearerRefused
from app.web.context import flows, site
from app.web.programs import FORM, share_with_all
from app.web.repeated import keep
from app.web.requests import bearer_token, found_or
from app.web.security.access import access

bp = Blueprint("userinfo", __name__)
share_with_all(bp, "/oauth/userinfo", methods="GET, POST")

KEPT: Final = 5.0
"""Seconds for which a process gives the same answer to the same token."""

STATUSES: Final[dict[BearerError, int]] = {
    "invalid_token": 401,
    "insufficient_scope": 403,
    "invalid_request": 400,
}

DESCRIPTIONS: Final[dict[BearerError, str]] = {
    "invalid_token": "the access token is missing, unknown, expired or revoked",
    "insufficient_scope": "the access token lacks openid",
    "invalid_request": "the access token is sent twice",
}


@bp.route("/oauth/userinfo", methods=["GET", "POST"], provide_automatic_options=False)
@access("client")
def userinfo() -> Response:
    """Answer with the claims of the person; the token comes by header or form."""
    tokens = flows().tokens
    still = while_good(tokens, site().clock)
    claims = found_or(
        lambda: tokens.userinfo(
            _presented(), network=network_of(request.remote_addr or "")
        )
    )
    keep(still)
    return jsonify(claims)


def while_good(tokens: TokenUseCases, clock: Callable[[], float]) -> Callable[[], bool]:
    """Return what tells for how long an answer that is made now may be repeated."""
    seen, asked_at = tokens.revoke.count, clock()
    return lambda: 0 <= clock() - asked_at < KEPT and tokens.revoke.count == seen


@bp.errorhandler(BearerRefused)
def refused(error: BearerRefused) -> Response:
    """Answer with a challenge (RFC 6750 section 3)."""
    code = error.code or "invalid_token"
    description = DESCRIPTIONS[code]
    response = jsonify(error=code, error_description=description)
    response.status_code = STATUSES[code]
    challenge = 'Bearer realm="platform"'
    if error.code is not None:  # without a token there is nothing wrong with it
        challenge += f', error="{code}", error_description="{description}"'
    if error.code == "insufficient_scope":
        challenge += ', scope="openid"'
    response.headers["WWW-Authenticate"] = challenge
    return response


def _presented() -> str | None:
    """Return the token of the header or of the body, never that of the URL."""
    by_header = bearer_token()
    is_form = request.method == "POST" and request.mimetype == FORM
    by_form = request.form.getlist("access_token") if is_form else []
    if len(by_form) > 1 or (by_form and by_header is not None):
        raise BearerRefused("invalid_request")
    return by_form[0] if by_form else by_header
