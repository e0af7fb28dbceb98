"""Authorization codes: issued once, taken once, bound to what they were issued for.

A code has 256 bits, lives a minute, and is stored as a hash (RFC 6749 section 4.1.2,
RFC 9700 section 4.5). A wrong verifier uses it up; a wrong client or redirect URI does
not.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from app.atproto.crypto.proofs import challenge_of
from app.atproto.syntax.grammar import Did
from app.flows.errors import FlowError

from .request import AuthorizationRequest

LIFETIME: Final = 60.0
"""Seconds from the redirect to the token request."""

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class CodeRefused(FlowError):
    """`invalid_grant`: the code is unknown, over, used, or not this client's."""


class CodeReplayed(CodeRefused):
    """A code that was used already; what the first use brought has to end."""

    def __init__(self, grant_id: str) -> None:
        super().__init__("the code was used already")
        self.grant_id = grant_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a code stands for."""

    grant_id: str
    client_id: str
    redirect_uri: str
    did: Did
    scope: str
    nonce: str | None
    code_challenge: str | None
    auth_time: float
    """When the host last proved the account."""
    expires_at: float


class Codes(Protocol):
    """The codes, by the hash of their secret."""

    def add(self, code: Code, *, secret: str) -> None:
        """Store a code; of its secret only a hash."""

    def find(self, secret: str, *, client_id: str, now: float) -> Code | None:
        """Return a code of this client that was not used and is not over, or None."""

    def take(
        self, secret: str, *, client_id: str, redirect_uri: str, now: float
    ) -> Code | None:
        """Return the code if all of it fits, to one caller alone; else None."""

    def used_by(self, secret: str, *, client_id: str) -> str | None:
        """Return the grant of a code that this client has used, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCode:
    """Issues the code of a granted request."""

    codes: Codes
    clock: Callable[[], float]

    def __call__(
        self,
        request: AuthorizationRequest,
        *,
        did: Did,
        grant_id: str,
        auth_time: float,
    ) -> str:
        """Return a new code, known to the caller alone."""
        secret = secrets.token_urlsafe(32)
        code = Code(
            grant_id=grant_id,
            client_id=request.client_id,
            redirect_uri=request.redirect_uri,
            did=did,
            scope=request.scope,
            nonce=request.nonce,
            code_challenge=request.code_challenge,
            auth_time=auth_time,
            expires_at=self.clock() + LIFETIME,
        )
        self.codes.add(code, secret=secret)
        return secret

    def is_open(self, secret: str, *, client_id: str) -> bool:
        """Tell whether a code of this client was not used and is not over."""
        found = self.codes.find(secret, client_id=client_id, now=self.clock())
        return found is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemCode:
    """Takes a code at the token endpoint, for a client that has authenticated."""

    codes: Codes
    clock: Callable[[], float]

    def __call__(
        self, secret: str, *, client_id: str, redirect_uri: str, verifier: str | None
    ) -> Code:
        """Return what the code stands for.

        Raises:
            CodeReplayed: this client has used it; its grant has to end.
            CodeRefused: it is no code, too old, not this client's, or not with this
                redirect URI; or the verifier is wrong, which uses the code up.
        """
        code = self.codes.take(
            secret, client_id=client_id, redirect_uri=redirect_uri, now=self.clock()
        )
        if code is None:
            grant_id = self.codes.used_by(secret, client_id=client_id)
            if grant_id is not None:
                raise CodeReplayed(grant_id)
            raise CodeRefused("no code that this client may use with this redirect URI")
        if not is_verified(code.code_challenge, verifier):
            raise CodeRefused("the verifier is not that of the code")
        return code


def is_verified(challenge: str | None, verifier: str | None) -> bool:
    """Tell whether a verifier fits (RFC 7636 section 4.6).

    Without a challenge there must be no verifier: a client that sends one believes that
    PKCE protects it, and an attacker may have taken the challenge away (RFC 9700
    section 4.8.2).
    """
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    if not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)
