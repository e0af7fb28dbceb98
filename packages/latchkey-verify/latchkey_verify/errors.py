"""Errors of verification.

    VerifyError
    ├── KeysUnavailable      no keys yet, and the service cannot be reached: answer 503
    └── NotSignedIn          answer 401, or lead to the sign-in page
        ├── TokenMissing     the request has no token
        ├── TokenInvalid     not a token of this service
        ├── TokenExpired     a token of this service after its `exp`
        └── SessionEnded     signed out, disabled or deleted before `exp`

`str(error)` says which check failed; it holds no token and no claim.
"""

from __future__ import annotations


class VerifyError(Exception):
    """Base of the errors of this package."""


class KeysUnavailable(VerifyError):
    """No keys were fetched yet, and the service cannot be reached."""


class NotSignedIn(VerifyError):
    """The request proves no signed-in person."""


class TokenMissing(NotSignedIn):
    """The request has neither a Bearer token nor a cookie."""


class TokenInvalid(NotSignedIn):
    """Not a token of this service: its form, header, signature or claims."""


class TokenExpired(NotSignedIn):
    """A token of this service after its `exp`."""


class SessionEnded(NotSignedIn):
    """The token's session ended: sign-out, a disabled or a deleted account."""
