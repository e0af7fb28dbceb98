"""Flask: `current_user`, the person of the request or None.

sign_in(app, verifier)

@app.get("/")
def index():
    return f"Hello {current_user.username}" if current_user else "Hello"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Flask, request
from werkzeug.local import LocalProxy

from . import wsgi

if TYPE_CHECKING:
    from .verifier import Person, Verifier


def sign_in(app: Flask, verifier: Verifier) -> None:
    """Let `current_user` be the person of each request of this application."""
    app.wsgi_app = wsgi.SignedIn(app.wsgi_app, verifier)  # type: ignore[method-assign]


def _person() -> Person | None:
    return cast("Person | None", request.environ.get(wsgi.PERSON))


current_user: Person | None = LocalProxy(_person)  # type: ignore[assignment]
"""The person who is signed in, or a proxy of None: test it with `if current_user`."""
