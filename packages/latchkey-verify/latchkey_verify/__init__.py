"""Verify the tokens (JWT) of a Latchkey sign-in service, offline.

    from latchkey_verify import Verifier

    verifier = Verifier("https://auth.example.org")
    person = verifier.verify(token)  # Person(did="did:plc:...", ...)

One `Verifier` for each process. It fetches the service's keys and the list of ended
sessions when it needs them, refreshes both in the background, and keeps them while the
service cannot be reached. `wsgi`, `asgi` and `flask` have middleware.
"""

from .errors import (
    KeysUnavailable,
    NotSignedIn,
    SessionEnded,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    VerifyError,
)
from .verifier import Person, Verifier

__all__ = [
    "KeysUnavailable",
    "NotSignedIn",
    "Person",
    "SessionEnded",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "Verifier",
    "VerifyError",
]

__version__ = "0.2.0"
