"""Rotation of refresh tokens with reuse detection (RFC 9700 section 4.14.2).

Pure rules, without a store. A refresh token is `CHAIN.SECRET`: 128 bits that name the
chain of all tokens of one grant, and 256 bits that each rotation replaces. The chain's
part is known to holders of a token of it alone, so an older token of the chain is told
from a guess, and a stranger ends no session.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

from app.atproto.crypto.encoding import sha256_hex

GRACE: Final = 60
"""Seconds after a rotation in which the replaced token gets the same successor again:
its answer may have been lost, or several processes may have sent it at once."""

TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}")

Verdict = Literal["rotate", "repeat", "reused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshChain:
    """The chain of refresh tokens of one session or grant, as it is stored."""

    owner: str
    """The sid of an app's session, or the grant_id of a client's grant."""
    current: str
    """SHA-256 of the token that is good now."""
    previous: str
    """SHA-256 of the secret that the current token replaced; empty for a grant's first
    token, which replaced none."""
    rotated_at: int
    """Epoch seconds."""
    successor: str | None = field(repr=False)
    """The current token, encrypted under the previous one; None once it is cleared."""


def judge(chain: RefreshChain, token: str, now: float) -> Verdict:
    """Return what a token of this chain is.

    `rotate`: the current one. `repeat`: the one before, whose successor was not used
    yet, within GRACE of its rotation. `reused`: any other, so that two parties hold
    tokens of this chain.
    """
    presented = sha256_hex(token)
    if presented == chain.current:
        return "rotate"
    # Both in whole seconds, so that the grace is not shorter than it says.
    is_recent = int(now) - chain.rotated_at <= GRACE
    if presented == chain.previous and is_recent and chain.successor is not None:
        return "repeat"
    return "reused"


def chain_of(token: str) -> str | None:
    """Return the part that names the chain; None for what is no refresh token."""
    parsed = TOKEN.fullmatch(token)
    return parsed[1] if parsed else None


def first_token() -> str:
    """Return the first token of a new chain."""
    return _token(secrets.token_urlsafe(16))


def next_token(token: str) -> str:
    """Return a new token of the same chain."""
    return _token(token.partition(".")[0])


def _token(chain: str) -> str:
    return f"{chain}.{secrets.token_urlsafe(32)}"
