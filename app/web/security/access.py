"""Access marks: which requests may reach a view, checked before the view runs.

Every view has exactly one mark; making the application raises when one has none.

`page`      a document that a person opens; changes nothing
`form`      changes something: only our own pages may send it (requirement 9.8)
`sign_out`  a form that pages of the platform may send as well
`callback`  the answer of an authorization server, bound by state and cookie
`link`      a link that works once: speculative loads are refused, as for `callback`
`token`     JSON about the platform token that the request carries
`program`   JSON for native apps: what a browser sends for a web page is refused
`authorize` an app sends a person here, by GET or POST and from any site: speculative
            loads and HEAD are refused
`client`    for OAuth clients (RFC 6749 section 3.2): no cookie is read or set
`call`      goes to a PDS in a visitor's name: pages of the platform, or a Bearer token
`document`  public and the same for everybody
`probe`     for the operator's monitoring
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast, get_args

from flask import Flask, Request, Response, current_app, request

from app.web.context import site

from . import cors

Mark = Literal[
    "page",
    "form",
    "sign_out",
    "callback",
    "link",
    "token",
    "program",
    "authorize",
    "client",
    "call",
    "document",
    "probe",
]
View = TypeVar("View", bound=Callable[..., Any])

MARK = "access_mark"

READING: frozenset[Mark] = frozenset({"page", "callback", "link", "document", "probe"})
"""Marks without a check, which therefore take no method that changes something."""

USES_UP: frozenset[Mark] = frozenset({"callback", "link", "authorize"})
"""Marks of a GET that uses something up or issues something."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSite(Exception):
    """A form that none of our pages sent, or a call of no page of the platform."""


class Unmarked(Exception):
    """A view without a mark, or with one that does not fit its methods: our mistake."""


def access(mark: Mark) -> Callable[[View], View]:
    """Mark a view; goes directly above `def`, below the route."""

    def decorate(view: View) -> View:
        setattr(view, MARK, mark)
        return view

    return decorate


def mark_of(endpoint: str | None) -> Mark | None:
    """Return the mark of the view of an endpoint; None when no route matched."""
    view = current_app.view_functions.get(endpoint or "")
    return getattr(view, MARK, None)


def require_marks(app: Flask) -> None:
    """Refuse an application with a view that any request could reach unchecked.

    Raises:
        Unmarked: names the route.
    """
    for rule in app.url_map.iter_rules():
        mark = getattr(app.view_functions[rule.endpoint], MARK, None)
        methods = rule.methods or set()
        if mark not in get_args(Mark):
            raise Unmarked(f"{rule.rule}: its view has no access mark")
        if mark in READING and not methods <= SAFE:
            raise Unmarked(f"{rule.rule}: {mark!r} takes no {sorted(methods - SAFE)}")


def require_access() -> Response | None:
    """Check the mark of the view, before anything of the request's body is read.

    A speculative load of a GET that uses something up gets 503, and uses nothing up.

    Raises:
        CrossSite: the mark admits no such request.
        Unmarked: the view was added after the application was made.
    """
    if request.endpoint is None:  # no route: 404 or 405
        return None
    mark = mark_of(request.endpoint)
    if mark is None:
        raise Unmarked(request.endpoint)
    _check(mark)
    if mark == "client":
        _drop_cookies()
    if mark in USES_UP and is_speculative():
        return Response(status=503)
    if mark == "authorize" and request.method == "HEAD":
        return Response(status=405, headers={"Allow": "GET"})
    return None


def _check(mark: Mark) -> None:
    """Raise `CrossSite` if the mark admits no such request."""
    if mark == "form" and not _is_from_us():
        raise CrossSite("a form that none of our pages sent")
    if mark == "sign_out" and not (_is_from_us() or is_from_platform()):
        raise CrossSite("a sign-out that no page of the platform sent")
    if mark == "program" and _is_from_a_page():
        raise CrossSite("a web page sent what only programs send")
    if mark == "call" and cors.caller() is None:
        raise CrossSite("a call that no page of the platform made")


def _drop_cookies() -> None:
    """Take the cookies out of the request: a client is whom it authenticates as."""
    request.environ.pop("HTTP_COOKIE", None)


def set_no_cookie(response: Response) -> Response:
    """Take the cookies out of an answer to an OAuth client."""
    if mark_of(request.endpoint) == "client":
        response.headers.pop("Set-Cookie", None)
    return response


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


def is_from_platform() -> bool:
    """Tell whether a page of another origin of the platform sent this form.

    Browsers send the Origin of each form, and no page can forge it.
    """
    origin = request.headers.get("Origin", "")
    return origin != site().public_url and cors.is_ours(origin)


def _is_from_a_page() -> bool:
    """Tell whether a browser sent this request for a web page.

    No page could read the answer (there is no CORS), but any page could use up the rate
    limits of its visitors.
    """
    fetch_site = request.headers.get("Sec-Fetch-Site", "none")
    return fetch_site != "none" or "Origin" in request.headers


def is_from_elsewhere() -> bool:
    """Tell whether another site caused this navigation, or may have (GET /auth/logout).

    Speculative loads count as elsewhere: the person has not asked for anything yet.
    """
    if is_speculative():
        return True
    return request.headers.get("Sec-Fetch-Site") not in {"same-origin", "none"}


def is_from_a_stranger() -> bool:
    """Tell whether a site that is not the platform's caused this navigation."""
    return (
        request.headers.get("Sec-Fetch-Site") == "cross-site" and cors.caller() is None
    )


def is_speculative(asked: Request | None = None) -> bool:
    """Tell whether a browser prefetches or prerenders: no click has happened yet."""
    headers = (asked or request).headers
    names = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
    return any(headers.get(name) for name in names)


def init_app(app: Flask) -> None:
    """Require a mark on every view, and check it before every request.

    Raises:
        Unmarked: a view has no mark.
    """
    static = cast("Callable[..., Any]", app.view_functions["static"])
    app.view_functions["static"] = access("document")(static)
    require_marks(app)
    app.before_request(require_access)
    app.after_request(set_no_cookie)
