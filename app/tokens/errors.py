"""What can be wrong with a platform token.

    TokenError
    ├── TokenInvalid         not a token of this platform
    │   └── TokenExpired     one of ours whose time is over
    └── SigningKeyMissing    the ring has no key to sign with

`str(error)` is for logs and never holds a token or one of its claims.
"""

from __future__ import annotations


class TokenError(Exception):
    """Base of every failure with platform tokens."""


class TokenInvalid(TokenError):
    """Not a token of this platform: its form, signature or claims are wrong."""


class TokenExpired(TokenInvalid):
    """A token of this platform whose time is over."""


class SigningKeyMissing(TokenError):
    """The key ring has no active key: it was never made, or of another algorithm."""

    def __init__(self, ring: str) -> None:
        super().__init__(f"the {ring} key ring is empty: run `flask --app wsgi init`")
        self.ring = ring
