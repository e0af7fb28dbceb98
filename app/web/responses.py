"""Redirects: to where a signed-in person goes, with a fresh platform token."""

from __future__ import annotations

from flask import Response, redirect, url_for

from app.flows.sessions.session import SignedIn

from . import cookies
from .context import site


def redirect_signed_in(signed_in: SignedIn, return_to: str) -> Response:
    """Redirect a signed-in person with a fresh token, or a new person to sign-up."""
    if signed_in.token is None:
        return see_other(url_for("signup.show"))
    response = see_other(return_to or site().landing_url)
    cookies.set_platform_token(response, signed_in.token)
    return response


def see_other(location: str) -> Response:
    """Redirect so that the next request is a GET (RFC 9110 section 15.4.4)."""
    return redirect(location, code=303, Response=Response)  # type: ignore[return-value]
