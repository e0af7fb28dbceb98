"""POST /auth/account/{username,handle,permissions,apps}: one's own account."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from app.blueprints.login import begin
from app.blueprints.own.account import show_again
from app.flows.account.permissions import Withdrawn
from app.flows.login.destination import Destination
from app.web import cookies
from app.web.context import flows
from app.web.errors import shows_failure
from app.web.responses import see_other
from app.web.security.access import access

bp = Blueprint("changes", __name__, url_prefix="/auth/account")


@bp.post("/username")
@shows_failure(show_again)
@access("form")
def change_username() -> Response:
    """Change the username; the account page then has a token with the new one."""
    flows().own_account.change_username(
        cookies.session_secret(),
        request.form.get("username", ""),
        address=request.remote_addr or "",
    )
    return _done("username")


@bp.post("/handle")
@shows_failure(show_again)
@access("form")
def verify_handle() -> Response:
    """Look the handle up now."""
    flows().own_account.verify_handle(
        cookies.session_secret(), address=request.remote_addr or ""
    )
    return _done("handle")


@bp.post("/permissions")
@shows_failure(show_again)
@access("form")
def withdraw_permission() -> Response:
    """Take a permission back, and ask the host again for those that are left."""
    word = request.form.get("permission", "")
    withdrawn = flows().own_account.withdraw(
        cookies.session_secret(), sid=request.form.get("sid", ""), word=word
    )
    if withdrawn is None:
        return see_other(url_for("account.show"))
    if not _is_worth_asking(withdrawn, word):
        return _done("permission")
    return begin(
        Destination(identifier=withdrawn.session.did, return_to=url_for("account.show"))
    )


@bp.post("/apps")
@shows_failure(show_again)
@access("form")
def remove_apps() -> Response:
    """Remove one app, or all: it has no access any more, and asks again."""
    client_id = request.form.get("client")
    if client_id is None and not request.form.get("all"):
        return see_other(url_for("account.show"))
    removed = flows().own_account.apps.remove(cookies.session_secret(), client_id)
    return _done("apps") if removed else see_other(url_for("account.show"))


def _is_worth_asking(withdrawn: Withdrawn, word: str) -> bool:
    """Tell whether the host can give back the others without the one taken back."""
    permissions = flows().permissions
    asked = permissions.to_ask("", withdrawn.remaining)
    has_others = bool(permissions.missing(withdrawn.remaining, "atproto"))
    return withdrawn.is_here and has_others and bool(permissions.missing(word, asked))


def _done(what: str) -> Response:
    return see_other(url_for("account.show", done=what))
