"""Client authentication at the endpoints of programs (RFC 6749 sections 2.3 and 3.2).

A client with a secret sends it by Basic or in the body, by one of them. A public client
names itself in the body; a client with a secret never counts as one. Parameters come in
the body alone, each once.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol
from urllib.parse import unquote_to_bytes

from app.flows.errors import FlowError
from app.flows.provider.authorization.errors import ErrorCode
from app.flows.provider.registration import Client

LONGEST: Final = 4_096
"""Characters of a parameter of these endpoints, and of the Authorization header."""

_BASIC: Final = re.compile(r"(?i:basic) +(?P<pair>[A-Za-z0-9+/]+={0,2})")
_ENCODED: Final = re.compile(r"[\x20-\x7e]*")

TokenErrorCode = Literal["invalid_request", "invalid_client"]


class ProgramRefused(FlowError):
    """An error in JSON (RFC 6749 section 5.2); `by_basic` asks for WWW-Authenticate."""

    def __init__(
        self,
        code: TokenErrorCode | ErrorCode,
        description: str,
        *,
        by_basic: bool = False,
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.by_basic = by_basic


class KnownClients(Protocol):
    """The registered clients, as far as authentication needs them."""

    def get(self, client_id: str) -> Client | None:
        """Return a client, a disabled one too, or None."""

    def has_secret(self, client_id: str, secret: str) -> bool:
        """Tell whether this is one of the client's secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The body of a request of a program: each parameter once, none empty."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, parameters: Mapping[str, Sequence[str]]) -> Form:
        """Read a form-encoded body. Empty parameters count as omitted.

        Raises:
            ProgramRefused: a parameter is repeated or too long.
        """
        given = {
            name: [value for value in values if value]
            for name, values in parameters.items()
        }
        for values in given.values():
            if len(values) > 1:
                raise ProgramRefused("invalid_request", "a parameter is repeated")
            if values and len(values[0]) > LONGEST:
                raise ProgramRefused("invalid_request", "a parameter is too long")
        return cls(values={name: one[0] for name, one in given.items() if one})

    def get(self, name: str) -> str | None:
        """Return a parameter, or None if it was omitted."""
        return self.values.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateClient:
    """Tells which client a program is."""

    clients: KnownClients

    def __call__(self, authorization: str | None, form: Form) -> Client:
        """Return the client of a request, by its header and its body.

        Raises:
            ProgramRefused: `invalid_client`, without saying which part was wrong;
                `invalid_request` if the client authenticates in two ways.
        """
        by_basic = authorization is not None
        client_id, secret = self._presented(authorization, form)
        client = self.clients.get(client_id)
        if client is None or client.disabled_at is not None:
            raise _unknown(by_basic=by_basic)
        if client.registration.is_public:
            if secret is not None:
                raise _unknown(by_basic=by_basic)
            return client
        if secret is None or not self.clients.has_secret(client_id, secret):
            raise _unknown(by_basic=by_basic)
        return client

    def _presented(
        self, authorization: str | None, form: Form
    ) -> tuple[str, str | None]:
        named, secret = form.get("client_id"), form.get("client_secret")
        if form.get("client_assertion") or form.get("client_assertion_type"):
            raise ProgramRefused("invalid_client", "client assertions are not offered")
        if authorization is None:
            if named is None:
                raise _unknown(by_basic=False)
            return named, secret
        if secret is not None:
            raise ProgramRefused("invalid_request", "the client authenticates twice")
        client_id, secret = read_basic(authorization)
        if named not in {None, client_id}:
            raise ProgramRefused("invalid_request", "two clients are named")
        return client_id, secret


def read_basic(authorization: str) -> tuple[str, str]:
    """Return client_id and secret; both are form-encoded (RFC 6749 section 2.3.1).

    Raises:
        ProgramRefused: `invalid_client`, for what cannot be read as well.
    """
    match = _BASIC.fullmatch(authorization) if len(authorization) <= LONGEST else None
    try:
        pair = base64.b64decode(match["pair"], validate=True) if match else b""
        client_id, colon, secret = pair.decode("ascii").partition(":")
        if not colon or not _ENCODED.fullmatch(client_id + secret):
            raise _unknown(by_basic=True)
        return _decoded(client_id), _decoded(secret)
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unknown(by_basic=True) from error


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")


def _unknown(*, by_basic: bool) -> ProgramRefused:
    return ProgramRefused(
        "invalid_client", "no client authenticates so", by_basic=by_basic
    )
