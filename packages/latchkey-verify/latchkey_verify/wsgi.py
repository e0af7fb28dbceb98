"""WSGI middleware (Flask, Django, Bottle): who is signed in, for each request.

    app.wsgi_app = SignedIn(app.wsgi_app, verifier)

`environ["latchkey.person"]` is then a `Person` or None, and `environ["latchkey.error"]`
the NotSignedIn that says why it is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .errors import KeysUnavailable, NotSignedIn

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from .verifier import Verifier

PERSON: Final = "latchkey.person"
ERROR: Final = "latchkey.error"


class SignedIn:
    """Puts the person of each request into its environ."""

    def __init__(self, app: WSGIApplication, verifier: Verifier) -> None:
        self._app, self._verifier = app, verifier

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Call the application; answer 503 when no keys could be fetched yet."""
        environ[PERSON] = environ[ERROR] = None
        try:
            environ[PERSON] = self._verifier.authenticate(
                authorization=environ.get("HTTP_AUTHORIZATION", ""),
                cookies=environ.get("HTTP_COOKIE", ""),
            )
        except NotSignedIn as error:
            environ[ERROR] = error
        except KeysUnavailable:
            return _unavailable(start_response)
        return self._app(environ, start_response)


def _unavailable(start_response: StartResponse) -> Iterable[bytes]:
    body = b"The sign-in service cannot be reached.\n"
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Retry-After", "10"),
    ]
    start_response("503 Service Unavailable", headers)
    return [body]
