"""Redirect loops between a service and our login: counted, and explained on a page.

A service that does not accept the token which we just gave sends the browser back, for
ever: the cookie does not reach it, another cookie of the same name hides it, or its
clock differs. Login counts the rounds to one address in a cookie.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from flask import Response, render_template

from app.atproto.crypto.encoding import sha256_hex
from app.web.languages.choice import gettext as _

from . import cookies
from .context import site

Cause = Literal["domain", "two_cookies", "no_cookie", "clock"]

MOST_ROUNDS = 3
"""Redirects with a fresh token to one address, before the next one shows the page."""

WITHIN = cookies.ROUNDS.lifetime
"""Seconds from the first of these redirects."""


def is_loop(return_to: str) -> bool:
    """Tell whether this browser was sent there MOST_ROUNDS times within a minute."""
    return urlsplit(return_to).netloc != "" and _rounds(return_to)[1] >= MOST_ROUNDS


def note_round(response: Response, return_to: str) -> None:
    """Count a redirect to a service."""
    if urlsplit(return_to).netloc:
        began, count = _rounds(return_to)
        value = f"{began}.{count + 1}.{_mark(return_to)}"
        cookies.ROUNDS.set(response, value)


def loop_page(return_to: str) -> Response:
    """Return the page that names the cause; the count begins again after it."""
    host = urlsplit(return_to).hostname or ""
    page = render_template(
        "loop.html",
        page_title=_("Signing in goes round in circles"),
        host=host,
        return_to=return_to,
        cause=cause_of(host),
        cookie_name=site().cookie_name,
        cookie_domain=site().cookie_domain,
    )
    response = Response(page, 409)
    cookies.ROUNDS.end(response)
    return response


def cause_of(host: str) -> Cause:
    """Return why a service at this host may not see the token that we set."""
    here, carried = site(), len(cookies.platform_tokens())
    own = urlsplit(here.public_url).hostname
    domain = here.cookie_domain
    is_reached = host == own if domain is None else f".{host}".endswith(f".{domain}")
    if not is_reached:
        return "domain"
    if carried > 1:
        return "two_cookies"
    return "clock" if carried else "no_cookie"


def _rounds(return_to: str) -> tuple[int, int]:
    """Return when the rounds to this address began (epoch) and how many there were."""
    now = int(site().clock())
    began, _, rest = cookies.ROUNDS.read().partition(".")
    count, _, mark = rest.partition(".")
    is_number = all(text.isascii() and text.isdigit() for text in (began, count))
    if not is_number or len(began) > 12 or len(count) > 3 or mark != _mark(return_to):
        return now, 0
    return (int(began), int(count)) if now - int(began) < WITHIN else (now, 0)


def _mark(return_to: str) -> str:
    return sha256_hex(return_to)[:16]
