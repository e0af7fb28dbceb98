"""POST /auth/accounts and /auth/lookup: what the sign-in page asks while one types.

Scripts of our own pages send these forms; without a script the page works without them.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.web.context import flows
from app.web.security.access import access

bp = Blueprint("typing", __name__)


@bp.post("/auth/accounts")
@access("form")
def accounts() -> Response:
    """Return accounts that begin with what was typed, as JSON."""
    found = flows().suggest_accounts(
        request.form.get("q", ""), address=request.remote_addr or ""
    )
    return jsonify(accounts=[{"handle": a.handle, "name": a.name} for a in found])


@bp.post("/auth/lookup")
@access("form")
def look_up() -> Response:
    """Look an account up before its form is sent; says nothing of what was found."""
    flows().look_up_ahead(
        request.form.get("identifier", ""), address=request.remote_addr or ""
    )
    return Response(status=204)
