"""Client authentication at the endpoints of programs (RFC 6749 sections 2.3 and 3.2).

A client with a secret sends it by Basic or in the body, by one of them. A public client
names itself in the body; a client with a secret never counts as one.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

from app.flows.limits.networks import hit_networks
from app.flows.ports import RateLimit
from app.flows.provider.registration import Client

from .requests import LONGEST, Form, ProgramRefused

_BASIC: Final = re.compile(r"(?i:basic) +(?P<pair>[A-Za-z0-9+/]+={0,2})")
_ENCODED: Final = re.compile(r"[\x20-\x7e]*")


class KnownClients(Protocol):
    """The registered clients, as far as authentication needs them."""

    def get(self, client_id: str) -> Client | None:
        """Return a client, a disabled one too, or None."""

    def has_secret(self, client_id: str, secret: str) -> bool:
        """Tell whether this is one of the client's secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """How a program says which client it is."""

    form: Form
    authorization: str | None
    """The Authorization header."""
    network: str
    """What rate limits count by: `network_of` its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateClient:
    """Tells which client a program is; failures count against its network."""

    clients: KnownClients
    rates: RateLimit

    def __call__(self, caller: Caller) -> Client:
        """Return the enabled client of a request.

        Raises:
            ProgramRefused: as `even_disabled`, and for a disabled client.
            TooManyRequests: too many failures of this network.
        """
        client = self.even_disabled(caller)
        if client.disabled_at is not None:
            raise self._failed(caller)
        return client

    def even_disabled(self, caller: Caller) -> Client:
        """Return the client of a request, which may be disabled.

        Raises:
            ProgramRefused: `invalid_client`, without saying which part was wrong;
                `invalid_request` if the client authenticates in two ways.
            TooManyRequests: too many failures of this network.
        """
        try:
            client_id, secret = _presented(caller.authorization, caller.form)
        except ValueError as error:
            raise self._failed(caller) from error
        client = self.clients.get(client_id)
        if client is None or not self._is_shown(client, secret):
            raise self._failed(caller)
        return client

    def _is_shown(self, client: Client, secret: str | None) -> bool:
        if client.registration.is_public:
            return secret is None
        return secret is not None and self.clients.has_secret(client.client_id, secret)

    def _failed(self, caller: Caller) -> ProgramRefused:
        hit_networks(self.rates, "client", caller.network)
        return ProgramRefused("invalid_client", "no client authenticates so")


def _presented(authorization: str | None, form: Form) -> tuple[str, str | None]:
    """Return client_id and secret, if it has one.

    Raises:
        ValueError: no client is named, or the header cannot be read.
        ProgramRefused: the client authenticates in two ways.
    """
    named, secret = form.get("client_id"), form.get("client_secret")
    if form.get("client_assertion") or form.get("client_assertion_type"):
        raise ValueError("client assertions are not offered")
    if authorization is None:
        if named is None:
            raise ValueError("no client_id")
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
        ValueError: the header is not that, or its bytes are no UTF-8.
    """
    match = _BASIC.fullmatch(authorization) if len(authorization) <= LONGEST else None
    if match is None:
        raise ValueError("not Basic")
    try:
        pair = base64.b64decode(match["pair"], validate=True).decode("ascii")
    except binascii.Error as error:
        raise ValueError("not base64") from error
    client_id, colon, secret = pair.partition(":")
    if not colon or not _ENCODED.fullmatch(client_id + secret):
        raise ValueError("not client_id and secret")
    return _decoded(client_id), _decoded(secret)


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
