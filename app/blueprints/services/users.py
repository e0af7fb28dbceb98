"""GET /auth/users: accounts of the platform, for its services and signed-in pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotFound

from app.flows.limits.networks import network_of
from app.flows.ports import User
from app.web import cookies
from app.web.context import flows
from app.web.responses import in_utc
from app.web.security.access import access
from app.web.security.sharing import share

bp = Blueprint("users", __name__)
share(bp, "/auth/users", "/auth/users/<who>")

CACHE = "private, max-age=60"
NO_ACCOUNT = "No account that can be seen here has this username or DID."


@bp.get("/auth/users/<who>", provide_automatic_options=False)
@access("call")
def show(who: str) -> Response:
    """Answer for one username or DID; 404 for an unknown or disabled account."""
    found = _found([who])
    if not found:
        raise NotFound(NO_ACCOUNT)
    return _cached(jsonify(_described(found[0])))


@bp.get("/auth/users", provide_automatic_options=False)
@access("call")
def batch() -> Response:
    """Answer for each `id` of the query, at most 100; others are left out."""
    found = _found(request.args.getlist("id"))
    return _cached(jsonify(users=[_described(user) for user in found]))


def _found(names: Collection[str]) -> Sequence[User]:
    return flows().look_up_accounts(
        names,
        tokens=cookies.presented_tokens(),
        network=network_of(request.remote_addr or ""),
    )


def _described(user: User) -> dict[str, str | None]:
    return {
        "did": user.did,
        "username": user.username,
        "handle": user.handle,
        "since": in_utc(user.created_at),
    }


def _cached(response: Response) -> Response:
    response.headers["Cache-Control"] = CACHE
    response.vary.update(("Cookie", "Authorization"))
    return response
