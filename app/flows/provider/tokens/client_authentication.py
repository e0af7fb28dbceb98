"""Client authentication at the endpoints of programs (RFC 6749 sections 2.3 and 3.2).

A client with a secret sends it by Basic or in the body, one with keys an assertion that
it signed. A public client names itself in the body; no other client counts as one.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

from app.flows.limits.networks import hit_networks
from app.flows.ports import RateLimit
from app.flows.provider.registration import Client
from app.tokens.client_assertions import claimed_issuer
from app.tokens.errors import TokenInvalid

from .assertions import TYPE, VerifyAssertion
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
    verify: VerifyAssertion

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
            shown = _presented(caller.authorization, caller.form)
        except (ValueError, TokenInvalid) as error:
            raise self._failed(caller) from error
        client = self.clients.get(shown.client_id)
        if client is None or not self._is_proved(client, shown):
            raise self._failed(caller)
        return client

    def _is_proved(self, client: Client, shown: _Shown) -> bool:
        """Tell whether the client authenticates in the one way that it has."""
        registration = client.registration
        if registration.has_keys:
            return shown.assertion is not None and self.verify(client, shown.assertion)
        if shown.assertion is not None:
            return False
        if registration.is_public:
            return shown.secret is None
        return shown.secret is not None and self.clients.has_secret(
            client.client_id, shown.secret
        )

    def note_failure(self, caller: Caller) -> None:
        """Count a failure of a network. Raises `TooManyRequests`."""
        hit_networks(self.rates, "client", caller.network)

    def _failed(self, caller: Caller) -> ProgramRefused:
        self.note_failure(caller)
        return ProgramRefused("invalid_client", "no client authenticates so")


@dataclass(frozen=True, slots=True)
class _Shown:
    """The client that a request names, and the one proof that it shows."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)


def _presented(authorization: str | None, form: Form) -> _Shown:
    """Return the client that a request names, and what proves it.

    Raises:
        ValueError: no client is named, or the header cannot be read.
        TokenInvalid: the assertion cannot be read.
        ProgramRefused: the client authenticates in two ways.
    """
    secret, assertion = form.get("client_secret"), form.get("client_assertion")
    proofs = (authorization, secret, assertion)
    if sum(proof is not None for proof in proofs) > 1:
        raise ProgramRefused("invalid_request", "the client authenticates twice")
    if (assertion is None) is (form.get("client_assertion_type") == TYPE):
        raise ValueError("an assertion and its type come together")
    if authorization is not None:
        shown = _Shown(*read_basic(authorization))
    elif assertion is not None:
        shown = _Shown(claimed_issuer(assertion), assertion=assertion)
    else:
        shown = _Shown(form.get("client_id") or "", secret)
    if form.get("client_id") not in {None, shown.client_id}:
        raise ProgramRefused("invalid_request", "two clients are named")
    return shown


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
