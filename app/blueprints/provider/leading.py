"""Redirects of the authorization endpoint: to the app, the sign-in or the consent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit
from wsgiref.types import WSGIEnvironment

from flask import Response, make_response, render_template
from werkzeug.datastructures import Headers

from app.flows.login.destination import held_in
from app.flows.provider.authorization.answers import Answer
from app.flows.provider.authorization.authorize import Waits
from app.flows.provider.authorization.proofs import consent_url
from app.web import cookies
from app.web.context import flows, site
from app.web.languages.choice import gettext as _
from app.web.responses import see_other

LONGEST_IDENTIFIER: Final = 512
"""Characters of a login_hint that prefills the form; its URL has to stay short."""


class Verbatim(Response):
    """A redirect whose Location stays as it is: werkzeug rewrites some characters."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Return the headers, with the Location byte for byte."""
        headers = super().get_wsgi_headers(environ)
        headers["Location"] = self.headers["Location"]
        return headers


def lead(found: Answer | Waits) -> Response:
    """Return the redirect; for some apps a page with a link instead."""
    if isinstance(found, Answer):
        return _to_app(found.url)
    return see_other(_way(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingApp:
    """An app that a person signs in for, and the ways on and back to it."""

    name: str
    where: str
    request_secret: str = field(repr=False)
    onward: str = field(repr=False)
    """Where the person goes on who chooses the account that is signed in."""


def waiting_app(return_to: str) -> WaitingApp | None:
    """Return the app whose request goes on at `return_to`, or None."""
    secret = held_in(return_to)
    if not secret:
        return None
    cookie = cookies.session_secret()
    found = flows().provider.consent.waits_for(secret, cookie=cookie)
    if found is None:
        return None
    return WaitingApp(
        name=found.name,
        where=where(found.redirect_uri),
        request_secret=secret,
        onward=consent_url(secret, found.mark),
    )


def where(url: str) -> str:
    """Return the host of a URL with its port, or the scheme of a program's own URL."""
    parts = urlsplit(url)
    return parts.netloc if parts.scheme in {"https", "http"} else parts.scheme


def has_source(url: str, *, is_secure: bool) -> bool:
    """Tell whether our `form-action` lets a browser be redirected to an app."""
    return url.startswith("https://") or (url.startswith("http://") and not is_secure)


def _way(waits: Waits) -> str:
    first = waits.first
    if first is None:
        return consent_url(waits.secret)
    return_to = consent_url(waits.secret)
    if first.way == "sign_up":
        flows().choose_username.lead_to(cookies.session_secret(), return_to)
        return "/auth/signup"
    fields = {"return_to": return_to, "prompt": first.prompt}
    if len(first.identifier) <= LONGEST_IDENTIFIER:
        fields["identifier"] = first.identifier
    given = {name: value for name, value in fields.items() if value}
    return f"/auth/login?{urlencode(given)}"


def _to_app(url: str) -> Response:
    """Redirect to an app, or show a link to it that the browser follows by itself.

    Chromium applies `form-action` to redirects after a form, and the policy of a page
    cannot name each app on a device: `[::1]` and private-use schemes have no source.
    """
    if has_source(url, is_secure=site().is_secure):
        return Verbatim(status=303, headers={"Location": url})
    page = render_template(
        "app_link.html", page_title=_("Back to the app"), url=url, where=where(url)
    )
    return make_response(page)
