"""Client authentication with a key: private_key_jwt (RFC 7523)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from app.atproto.errors import AtprotoError
from app.atproto.http.types import HTTP, Deadline
from app.atproto.stores.memory import MemoryCache
from app.flows.provider.registration import Client
from app.tokens.client_assertions import (
    Jwk,
    claimed_key,
    parse_jwks,
    verify_assertion,
)
from app.tokens.errors import TokenInvalid

from .requests import ProgramRefused

log = logging.getLogger(__name__)

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

LARGEST: Final = 64_000
"""Bytes of a client's JWK set."""

PATIENCE: Final = 5.0
"""Seconds for fetching it."""

KEPT: Final = 300.0
"""Seconds for which a fetched set is used."""

AGAIN: Final = 10.0
"""Seconds after which a set is fetched again that lacks a key or was out of reach.
Strangers choose key ids, so this bounds what they make us ask a client's host."""

CACHE_ENTRIES: Final = 200


class Assertions(Protocol):
    """The assertions that were used."""

    def use(self, client_id: str, jti: str, *, expires_at: float) -> bool:
        """Note an assertion; False if one of the client with this `jti` was used."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: tuple[Jwk, ...]
    """None of them if the set was out of reach."""
    at: float
    """When the set was read."""
    asked_at: float
    """When it was last asked for, also in vain."""

    def has(self, kid: str | None) -> bool:
        return bool(self.keys) and (
            kid is None or any(key.get("kid") in (None, kid) for key in self.keys)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKeySets:
    """The public keys of clients: registered, or fetched through the hardened door."""

    http: HTTP
    clock: Callable[[], float]
    _fetched: MemoryCache[_Fetched] = field(init=False)

    def __post_init__(self) -> None:
        cache: MemoryCache[_Fetched] = MemoryCache(
            self.clock, max_entries=CACHE_ENTRIES
        )
        object.__setattr__(self, "_fetched", cache)

    def of(self, client: Client, *, kid: str | None) -> tuple[Jwk, ...]:
        """Return the keys of a client, with a key of this id if it can be had.

        Raises:
            ProgramRefused: `temporarily_unavailable` if they cannot be fetched now.
        """
        registration = client.registration
        if registration.jwks is not None:
            return parse_jwks(json.loads(registration.jwks))
        url = registration.jwks_uri or ""
        found = self._fetched.get(url)
        if found is None or not (found.has(kid) or self._is_young(found)):
            found = self._again(url, found)
        if not found.keys:
            raise ProgramRefused(
                "temporarily_unavailable", "the keys of this client are out of reach"
            )
        return found.keys

    def _again(self, url: str, former: _Fetched | None) -> _Fetched:
        """Fetch a set; the former one stays meanwhile, and if the fetch fails.

        Strangers choose key ids. One thread waits for the host, and the client keeps
        its keys while the host is down.
        """
        now = self.clock()
        if former is not None:
            former = replace(former, asked_at=now)
            self._put(url, former)
        found = _Fetched(self._fetch(url), at=now, asked_at=now)
        if former is not None and not found.keys:
            return former
        return self._put(url, found)

    def _put(self, url: str, found: _Fetched) -> _Fetched:
        lifetime = KEPT - (self.clock() - found.at)
        self._fetched.put(url, found, lifetime=lifetime)
        return found

    def _is_young(self, found: _Fetched) -> bool:
        return 0 <= self.clock() - found.asked_at < AGAIN

    def _fetch(self, url: str) -> tuple[Jwk, ...]:
        deadline = Deadline.after(PATIENCE)
        try:
            answer = self.http.request("GET", url, deadline=deadline, limit=LARGEST)
            if answer.status == 200:
                return parse_jwks(answer.json_object())
            log.warning("the keys of a client cannot be fetched: %s", answer.status)
        except (AtprotoError, ValueError) as error:
            log.warning("the keys of a client cannot be fetched: %s", error)
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAssertion:
    """Tells whether an assertion is a client's, and notes that it was used."""

    keys: ClientKeySets
    used: Assertions
    issuer: str
    clock: Callable[[], float]

    def __call__(self, client: Client, assertion: str) -> bool:
        """Tell whether the client signed it for us, now, and for the first time.

        Raises:
            ProgramRefused: its keys cannot be fetched now.
        """
        try:
            keys = self.keys.of(client, kid=claimed_key(assertion))
            said = verify_assertion(
                assertion,
                keys,
                client_id=client.client_id,
                audience=self.issuer,
                now=self.clock(),
            )
        except TokenInvalid as error:
            log.info("assertion of %s: %s", client.client_id, error)
            return False
        return self.used.use(client.client_id, said.jti, expires_at=said.expires_at)
