"""Scope upgrade page: ask a signed-in person for more permissions (requirement 8.10).

It lists what is asked and has one button, which leads to the person's host; a person
who declines goes back, signed in as before. The same page leads to a new session at the
host when the old one has ended (requirement 7.18).
"""

from __future__ import annotations

from flask import render_template

from app.atproto.syntax.grammar import host_of
from app.flows.login.destination import Destination
from app.flows.ports import Session
from app.flows.sessions.session import SignedIn
from app.web import cookies
from app.web.context import flows
from app.web.errors import Failure
from app.web.languages.choice import gettext as _

from .permission_text import in_words


def is_due(signed_in: SignedIn, destination: Destination) -> bool:
    """Tell whether this request needs the person's consent at their host.

    Without a prompt, when not all of its scope is granted. With `prompt=login` for the
    person who is signed in, when their session at the host is over.
    """
    session = signed_in.session
    if signed_in.user is None:
        return False  # a newcomer finishes first, and is asked then
    if not destination.prompt:
        return bool(flows().permissions.missing(destination.scope, session.scope))
    return (
        destination.prompt == "login"
        and is_of(signed_in, destination)
        and session.scope is None
    )


def is_of(signed_in: SignedIn, destination: Destination) -> bool:
    """Tell whether the request names the person who is signed in."""
    return destination.identifier in {signed_in.session.did, signed_in.session.handle}


def upgrade_page(
    signed_in: SignedIn, destination: Destination, *, failure: Failure | None = None
) -> str:
    """Render the question, and why the last try failed."""
    session, permissions = signed_in.session, flows().permissions
    asked = (
        permissions.to_ask(destination.scope, session.granted_scope)
        if session.scope is None
        else " ".join(permissions.missing(destination.scope, session.scope))
    )
    return render_template(
        "upgrade.html",
        page_title=_("Connect again")
        if session.scope is None
        else _("One more permission"),
        user=signed_in.user,
        did=session.did,
        host=_host_of(session),
        is_over=session.scope is None,
        asks=in_words(asked),
        return_to=destination.return_to,
        scope=destination.scope,
        prompt=destination.prompt,
        notice=failure.notice() if failure else None,
    )


def _host_of(session: Session) -> str | None:
    """Return where the person is sent, or was the last time in this browser."""
    if session.issuer:
        return host_of(session.issuer)
    remembered = cookies.remembered_accounts()
    return next((a.host for a in remembered if a.did == session.did), None)
