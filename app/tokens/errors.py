"""Errors of platform tokens.

    TokenError
    ├── TokenInvalid         not a token of this platform
    │   └── TokenExpired     a token of this platform after its `exp`
    └── SigningKeyMissing    the ring has no active key

`str(error)` is for logs and holds no token and no claim.
"""

from __future__ import annotations


class TokenError(Exception):
    """Base of the errors of platform tokens."""


class TokenInvalid(TokenError):
    """Not a token of this platform: wrong form, signature or claims."""


class TokenExpired(TokenInvalid):
    """A token of this platform after its `exp`."""


class SigningKeyMissing(TokenError):
    """The key ring has no active key of the configured algorithm."""

    def __init__(self, ring: str) -> None:
        super().__init__(f"the {ring} key ring is empty: run `flask --app wsgi init`")
        self.ring = ring
