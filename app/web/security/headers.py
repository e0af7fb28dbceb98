"""Security headers (CSP, HSTS, Referrer-Policy), and the redirect from localhost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from urllib.parse import urlsplit

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.web.context import site

from .access import Mark, mark_of

FOR_PEOPLE: frozenset[Mark] = frozenset({"page", "callback", "authorize"})
"""Marks of what a browser opens by GET, perhaps as `localhost`."""

OWN_PAGES = "same-origin"
"""Referrer-Policy: our own pages see the Referer, for others it is empty."""

HSTS = "max-age=31536000"

OAUTH = "/oauth/"
"""The routes of the provider: their URLs and answers hold requests and codes."""

PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


@cache
def content_security_policy(*, is_secure: bool) -> str:
    """Return the policy of every page: our own files, no inline anything, no frames.

    `form-action` names schemes because Chromium applies it to redirects as well, and a
    login's POST ends in one to the person's own host.
    """
    hosts = "https:" if is_secure else "https: http:"
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; "
        f"form-action 'self' {hosts}; frame-ancestors 'none'; base-uri 'none'"
    )


def policy_for_other_hosts() -> str:
    """Return the policy of a page that a proxy shows on a host of another service.

    There 'self' is that host, and the page's files and links are ours.
    """
    ours = site().public_url
    return (
        f"default-src 'none'; style-src {ours}; script-src {ours}; "
        f"img-src {ours} data:; form-action 'none'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )


def set_headers(response: Response) -> Response:
    """Set what a view has not set itself."""
    present = {name.lower() for name, _ in response.headers}
    for name, value in _standard_headers(is_secure=site().is_secure):
        if name.lower() not in present:
            response.headers.add(name, value)
    if "referrer-policy" not in present:
        response.headers.add("Referrer-Policy", _referrer_policy())
    return response


def completed(
    headers: Sequence[tuple[str, str]], *, is_secure: bool
) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer that Flask does not make, with the missing ones.

    The answer is no callback's, so its policy for the Referer is that of our pages.
    """
    present = {name.lower() for name, _ in headers}
    every = (*_standard_headers(is_secure=is_secure), ("Referrer-Policy", OWN_PAGES))
    return (*headers, *(one for one in every if one[0].lower() not in present))


@cache
def _standard_headers(*, is_secure: bool) -> tuple[tuple[str, str], ...]:
    secure = (("Strict-Transport-Security", HSTS),) if is_secure else ()
    return (
        ("Content-Security-Policy", content_security_policy(is_secure=is_secure)),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Permissions-Policy", PERMISSIONS),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
        *secure,
    )


def _referrer_policy() -> str:
    """Let our own pages see the Referer; the URL of a callback is for no page.

    `same-origin` rather than `no-referrer`, which would make browsers send
    `Origin: null` with our own forms (requirement 6.20 for the callback, RFC 9700
    section 4.2.4 for the provider).
    """
    is_secret = (
        request.path.startswith(OAUTH) or mark_of(request.endpoint) == "callback"
    )
    return "no-referrer" if is_secret else OWN_PAGES


def require_own_name() -> BaseResponse | None:
    """Redirect a developer's browser from localhost to PUBLIC_URL.

    Cookies of `localhost` would be missing at the callback, which uses the IP literal
    (requirement 3.28). The Host header is not part of the new address.
    """
    here = site()
    asked = urlsplit(f"//{request.host}").hostname
    if here.is_secure or asked != "localhost":
        return None
    if request.method != "GET" or mark_of(request.endpoint) not in FOR_PEOPLE:
        return None
    query = f"?{request.query_string.decode('ascii', 'replace')}"
    return redirect(here.public_url + request.path + (query if query != "?" else ""))


def init_app(app: Flask) -> None:
    """Set the headers of every answer."""
    app.before_request(require_own_name)
    app.after_request(set_headers)
