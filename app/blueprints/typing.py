"""/auth/accounts, /auth/avatar and /auth/lookup: what is asked while one types.

Scripts of our own pages send these forms; without a script the page works without them.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, abort, jsonify, request

from app.flows.login.typing import Suggestion
from app.web.context import flows
from app.web.security.access import access

bp = Blueprint("typing", __name__)

AVATAR_CACHE = "private, max-age=3600"
AVATAR_POLICY = "default-src 'none'; sandbox"
"""An avatar that is opened as a page of our origin can do nothing there."""


@bp.post("/auth/accounts")
@access("form")
def accounts() -> Response:
    """Return accounts that begin with what was typed, as JSON."""
    found = flows().suggest_accounts(
        request.form.get("q", ""), address=request.remote_addr or ""
    )
    return jsonify(accounts=[_shown(account) for account in found])


def _shown(account: Suggestion) -> dict[str, str]:
    return {
        "handle": account.handle,
        "name": account.name,
        "avatar": avatar_path(account.avatar),
    }


def avatar_path(url: str) -> str:
    """Return where our pages get this avatar; "" without one."""
    if not url:
        return ""
    fields = {"url": url, "mark": flows().fetch_avatar.key.mark(url)}
    return f"/auth/avatar?{urlencode(fields)}"


@bp.get("/auth/avatar")
@access("document")
def avatar() -> Response:
    """Serve the avatar of a suggested account; 404 without one."""
    picture = flows().fetch_avatar(
        request.args.get("url", ""),
        request.args.get("mark", ""),
        address=request.remote_addr or "",
    )
    if picture is None:
        abort(404)
    response = Response(picture.content, content_type=picture.media_type)
    response.headers["Cache-Control"] = AVATAR_CACHE
    response.headers["Content-Security-Policy"] = AVATAR_POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


@bp.post("/auth/lookup")
@access("form")
def look_up() -> Response:
    """Look an account up before its form is sent; says nothing of what was found."""
    flows().look_up_ahead(
        request.form.get("identifier", ""), address=request.remote_addr or ""
    )
    return Response(status=204)
