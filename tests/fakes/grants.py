"""What an authorization server remembers: requests, codes, sessions and their tokens.

The unforgiving parts of the reference are here: a code is good once and its replay ends
the session made from it; so does the replay of a refresh token, or its use with another
key (requirements 6.8, 7.4 and 7.7).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .client_authentication import ClientKey

REQUEST_LIFETIME = 300
CODE_LIFETIME = 300


@dataclass(slots=True, kw_only=True)
class PushedRequest:
    """A pushed authorization request (RFC 9126)."""

    client_id: str
    client_key: ClientKey
    proof_key: str
    form: dict[str, str]
    expires_at: float
    device: str | None = None
    """The first browser that opened it: no other may (requirement 4.17)."""


@dataclass(slots=True, kw_only=True)
class Grant:
    """What an account allowed a client; a session once its code is exchanged."""

    did: str
    client_id: str
    client_key: ClientKey
    proof_key: str
    scope: str
    redirect_uri: str
    code_challenge: str
    code_expires_at: float
    alive: bool = True
    access_token: str = ""
    access_expires_at: float = 0.0
    refresh_token: str = ""
    spent: set[str] = field(default_factory=set)


class Grants:
    """Every grant of one server, by code and by token."""

    def __init__(self) -> None:
        self.requests: dict[str, PushedRequest] = {}
        self.all: list[Grant] = []
        self._codes: dict[str, Grant] = {}
        self._exchanged: dict[str, Grant] = {}

    def add_request(self, request: PushedRequest, *, length: int = 0) -> str:
        """Keep a request; its URI has at least `length` characters."""
        uri = f"urn:ietf:params:oauth:request_uri:req-{secrets.token_hex(16)}"
        uri = uri.ljust(length, "x")
        self.requests[uri] = request
        return uri

    def add_code(self, grant: Grant) -> str:
        code = f"cod-{secrets.token_hex(32)}"
        self._codes[code] = grant
        return code

    def exchange(self, code: str) -> Grant:
        """Take the grant of a code. A second time ends the session."""
        if replayed := self._exchanged.get(code):
            replayed.alive = False
            raise Refusal("invalid_grant", "Invalid code")
        grant = self._codes.pop(code, None)
        if grant is None:
            raise Refusal("invalid_grant", "Invalid code")
        self._exchanged[code] = grant
        return grant

    def open_session(self, grant: Grant) -> None:
        """Make the grant a session: it has tokens from now on."""
        self.all.append(grant)

    def of_refresh_token(self, token: str) -> Grant:
        """Return the session of a refresh token. A spent one ends the session."""
        for grant in self.all:
            if token in grant.spent:
                grant.alive = False
                raise Refusal("invalid_grant", "Refresh token replayed")
            if grant.alive and token == grant.refresh_token:
                return grant
        raise Refusal("invalid_grant", "Invalid refresh token")

    def of_access_token(self, token: str) -> Grant | None:
        for grant in self.all:
            if grant.alive and token == grant.access_token:
                return grant
        return None

    def end(self, token: str) -> None:
        """End the session of either token."""
        for grant in self.all:
            if token in {grant.access_token, grant.refresh_token}:
                grant.alive = False

    def alive(self, did: str) -> list[Grant]:
        """Return the account's living sessions."""
        return [grant for grant in self.all if grant.alive and grant.did == did]


def rotate(
    grant: Grant, *, now: float, lifetime: int, sizes: Mapping[str, int]
) -> None:
    """Give a session a new pair of tokens; the old refresh token is spent."""
    if grant.refresh_token:
        grant.spent.add(grant.refresh_token)
    access, refresh = secrets.token_hex(24), secrets.token_hex(32)
    grant.access_token = f"atk-{access}".ljust(sizes.get("access_token", 0), "x")
    grant.refresh_token = f"ref-{refresh}".ljust(sizes.get("refresh_token", 0), "x")
    grant.access_expires_at = now + lifetime
