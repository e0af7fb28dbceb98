"""GET and POST /oauth/consent: the consent page of a held authorization request."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import BadRequest

from app.flows.provider.authorization.consent import Ask
from app.flows.provider.authorization.proofs import consent_url
from app.web import cookies
from app.web.context import flows
from app.web.languages.choice import gettext as _
from app.web.pages.scope_text import told
from app.web.responses import see_other
from app.web.security.access import access

from .leading import lead, where

bp = Blueprint("consent", __name__)


@bp.get("/oauth/consent")
@access("authorize")
def show() -> Response:
    """Show the consent page, or redirect where no consent is asked."""
    secret = request.args.get("request", "")
    found = flows().provider.consent.show(
        secret,
        cookie=cookies.session_secret(),
        mark=request.args.get("mark", ""),
    )
    return _page(found) if isinstance(found, Ask) else lead(found)


@bp.post("/oauth/consent")
@access("form")
def submit() -> Response:
    """Take the decision, once, and redirect to the app."""
    secret, consent = request.form.get("request", ""), flows().provider.consent
    decision = request.form.get("decision")
    if decision == "deny":
        return lead(consent.deny(secret, cookie=cookies.session_secret()))
    if decision != "allow":
        raise BadRequest
    found = consent.allow(
        secret,
        mark=request.form.get("mark", ""),
        cookie=cookies.session_secret(),
    )
    return see_other(consent_url(secret)) if isinstance(found, Ask) else lead(found)


def _page(ask: Ask) -> Response:
    question = ask.question
    registered, asked = question.client.registration, question.request
    page = render_template(
        "consent.html" if question.is_allowed else "not_allowed.html",
        page_title=_("Sign in to %(app)s?", app=registered.name)
        if question.is_allowed
        else _("Your account cannot use %(app)s", app=registered.name),
        app_name=registered.name,
        client_id=question.client.client_id,
        where=where(asked.redirect_uri),
        tells=told(asked.scope, registered),
        user=question.user,
        did=question.session.did,
        request_secret=ask.secret,
        mark=ask.mark,
        return_to=consent_url(ask.secret),
    )
    return make_response(page, 200 if question.is_allowed else 403)
