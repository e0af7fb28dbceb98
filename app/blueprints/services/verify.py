"""/auth/verify: forward auth for the proxy in front of another service.

nginx, Caddy, Traefik, Envoy and HAProxy ask with the headers of the request that they
hold. When the answer is 200, they pass the request on with our headers about the
person. A person without a session is sent to our own login, and from there only to the
platform's hosts (requirement 9.9).
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import parse_qsl, quote

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict

from app.flows.errors import AccountDisabled, NotAllowedHere, NotSignedIn
from app.flows.people.rule import Rule
from app.flows.sessions.verify import Known
from app.web import cookies, held_request
from app.web.context import flows, site
from app.web.errors import Failure, show_as_page, shows_failure
from app.web.requests import bearer_token, found_or
from app.web.security.access import access, is_speculative
from app.web.security.headers import policy_for_other_hosts

bp = Blueprint("verify", __name__)

# Envoy asks with the method of the request it holds, and appends its path to ours.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

NAMES = tuple(
    f"X-Auth-Request-{name}" for name in ("User", "Did", "Handle", "Session", "Groups")
)

MOST_PEOPLE = 2_000
"""People whose headers a process remembers."""

MOST_RULES = 256
"""Parsed questions that a process remembers; a proxy asks the same one always."""

NGINX_ROUNDS_UP = 1.0
"""Seconds that nginx may add: it counts whole seconds and includes the last one."""


class LoginNeeded(NotSignedIn):
    """The request shows no valid token; `login_url` leads to login and back."""

    def __init__(self, login_url: str) -> None:
        super().__init__("a request that a proxy holds")
        self.login_url = login_url


def refusal_page(failure: Failure) -> Response:
    """Return the page of a 403, which a proxy shows on the host of its service."""
    page = render_template(
        "refused.html",
        page_title=failure.message.title,
        error=failure.notice(),
        page_origin=site().public_url,
        other_account=held_request.login_url(prompt="select_account"),
    )
    response = make_response(page, failure.status)
    response.headers["Content-Security-Policy"] = policy_for_other_hosts()
    return response


@bp.route("/auth/verify", methods=METHODS)
@bp.route("/auth/verify/", methods=METHODS, defaults={"original": "/"})
@bp.route("/auth/verify/<path:original>", methods=METHODS)
@shows_failure(refusal_page)
@access("token")
def show(original: str = "") -> Response:
    """Answer 200 and who makes the request; 401, 403 or a redirect otherwise."""
    if held_request.is_preflight():
        return _preflight()
    # What comes with Envoy's path is the person's query, not the proxy's question.
    query = "" if original else request.query_string.decode("latin-1")
    rule = rule_of(query)
    try:
        known = found_or(_known)
        if known is not None:
            rule.require(known.identified.claims, known.identified.groups)
            return _passed(known)
    except (AccountDisabled, NotAllowedHere):
        if held_request.is_navigation():
            show_as_page()
        raise
    login_url = held_request.login_url()
    if _asked(query).get("redirect") == "1" and held_request.is_navigation():
        return redirect(login_url, code=302, Response=Response)  # type: ignore[return-value]
    raise LoginNeeded(login_url)


@lru_cache(maxsize=MOST_RULES)
def rule_of(query: str) -> Rule:
    """Return the rule of a query. Raises `RuleInvalid`."""
    asked = _asked(query)
    return Rule.parse(group=asked.getlist("group"), user=asked.getlist("user"))


def _asked(query: str) -> MultiDict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    return MultiDict(pairs)


def _known() -> Known | None:
    """Return whom the Bearer token names, or else the first cookie that is valid.

    A service may use Bearer tokens of its own, so here, and nowhere else, one that is
    not ours falls back to the cookie.
    """
    return flows().verify.first_of((bearer_token(), *cookies.platform_tokens()))


def _passed(known: Known) -> Response:
    """Name the person; renew the cookie, or let nginx keep the answer for a while."""
    response = _named(known)
    fresh = _renewed(known)
    if fresh is not None:
        cookies.set_platform_token(response, fresh)
    seconds = 0 if fresh else kept_by_nginx(known, site().clock())
    response.headers["X-Accel-Expires"] = str(seconds)
    return response


def kept_by_nginx(known: Known, now: float) -> int:
    """Return the seconds for which nginx may keep the answer."""
    return max(0, int(known.fresh_for(now) - NGINX_ROUNDS_UP))


def _renewed(known: Known) -> str | None:
    """Return the successor of a cookie's token that is past half its life.

    A Bearer token is not renewed, and neither HEAD nor a speculative load renews.
    """
    is_cookie = known.token != bearer_token()
    if not is_cookie or is_speculative() or held_request.method() == "HEAD":
        return None
    return flows().renew_on_use(known.token, known.identified)


def _named(known: Known | None) -> Response:
    """Name the person in all of our headers, so that none of a client's passes."""
    response = Response(status=200)
    response.headers.extend(headers_of(known))
    return response


def headers_of(known: Known | None) -> tuple[tuple[str, str], ...]:
    """Return our headers about a person, each of them, empty ones too."""
    return _headers_of(_names_of(known))


@lru_cache(maxsize=MOST_PEOPLE)
def _headers_of(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    # Unchanged by their grammars; any other character would be escaped.
    values = [quote(value, safe=":%,") for value in names]
    return tuple(zip(NAMES, values, strict=True))


def _names_of(known: Known | None) -> tuple[str, ...]:
    if known is None:
        return ("",) * len(NAMES)
    claims, groups = known.identified.claims, ",".join(known.identified.groups)
    return (claims.username, claims.did, claims.handle or "", claims.sid, groups)


def _preflight() -> Response:
    """Pass a preflight without a name if FORWARD_AUTH_PREFLIGHT says so; else 401."""
    if site().passes_preflights:
        return _named(None)
    raise NotSignedIn("a preflight, which has no cookie")
