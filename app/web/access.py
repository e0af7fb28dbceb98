"""Who may reach a view: every view wears exactly one mark, checked before it runs.

`page`      a document that a person opens; changes nothing
`form`      changes something: only our own pages may send it (requirement 9.8)
`callback`  the answer of an authorization server: bound by state and cookie instead
`api`       JSON for programs; no cookie is set
`call`      goes to a PDS in a visitor's name: pages of the platform, or a Bearer token
`document`  public and the same for everybody
`probe`     for the operator's monitoring
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import Flask, current_app, request

from . import cors
from .context import site

Mark = Literal["page", "form", "callback", "api", "call", "document", "probe"]
View = TypeVar("View", bound=Callable[..., Any])

MARK = "access_mark"


class CrossSite(Exception):
    """A form that none of our own pages sent, or a call of no page of the platform."""


def access(mark: Mark) -> Callable[[View], View]:
    """Mark a view; goes directly above `def`, below the route."""

    def wear(view: View) -> View:
        setattr(view, MARK, mark)
        return view

    return wear


def mark_of(endpoint: str | None) -> Mark | None:
    """Return the mark of the view that an endpoint leads to."""
    view = current_app.view_functions.get(endpoint or "")
    return getattr(view, MARK, None)


def require_access() -> None:
    """Refuse a form or a call from elsewhere, before anything of it is read.

    Raises:
        CrossSite: another site sent it, for a form a sibling host included; or nothing
            says that we, or a page of the platform, did.
    """
    mark = mark_of(request.endpoint)
    if mark == "form" and not _is_from_us():
        raise CrossSite("a form that none of our pages sent")
    if mark == "call" and cors.caller() is None:
        raise CrossSite("a call that no page of the platform made")


def _is_from_us() -> bool:
    """Tell whether one of our own pages sent this request.

    Browsers say so in Sec-Fetch-Site, which no page can forge; those that do not, in
    Origin. `null` is what our pages with `Referrer-Policy: no-referrer` send.
    """
    origin = request.headers.get("Origin")
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is None:
        return origin == site().public_url
    return fetch_site == "same-origin" and origin in {None, "null", site().public_url}


def is_from_elsewhere() -> bool:
    """Tell whether another site caused this navigation, or may have (GET /auth/logout).

    Speculative loads count as elsewhere: nobody has asked for anything yet.
    """
    if is_speculative():
        return True
    return request.headers.get("Sec-Fetch-Site") not in {"same-origin", "none"}


def is_speculative() -> bool:
    """Tell whether a browser loads ahead of a click that may never come."""
    return bool(request.headers.get("Sec-Purpose") or request.headers.get("Purpose"))


def refuse_web_pages() -> None:
    """Refuse what a browser sends for a page: programs alone begin native logins.

    No page could read the answer (there is no CORS), but any could use up its visitors'
    rate limits.

    Raises:
        CrossSite: a browser says that a page of its sent this.
    """
    fetch_site = request.headers.get("Sec-Fetch-Site", "none")
    if fetch_site != "none" or "Origin" in request.headers:
        raise CrossSite("a web page sent what only programs send")


def init_app(app: Flask) -> None:
    """Check the mark before every request."""
    app.before_request(require_access)
