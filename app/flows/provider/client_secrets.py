"""Client secrets: the operator's `clients secret add | drop`.

A secret has 256 bits, is returned once, and only its hash is stored. Two of a client
may live at once, so that rotating one breaks nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.flows.errors import ClientInvalid, ClientUnknown
from app.flows.operator import Operator
from app.flows.ports import Audit

from .registration import Clients, SecretId

MOST_SECRETS: Final = 2
"""Secrets of one client at the same time: the one in use, and the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret of a client, known to the caller alone."""

    secret_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageSecrets:
    """`clients secret add | drop`."""

    clients: Clients
    audit: Audit
    clock: Callable[[], float]

    def of(self, client_id: str) -> Sequence[SecretId]:
        """Return what is known of a client's secrets, the oldest first."""
        return self.clients.secrets(client_id)

    def make(self, client_id: str) -> NewSecret:
        """Make a secret. Raises `ClientInvalid` if the client has two."""
        made = NewSecret(
            secret_id=secrets.token_hex(4), secret=secrets.token_urlsafe(32)
        )
        known = SecretId(secret_id=made.secret_id, created_at=self.clock())
        if not self.clients.add_secret(
            client_id, made.secret, known=known, most=MOST_SECRETS
        ):
            raise ClientInvalid(
                f"{client_id} has {MOST_SECRETS} secrets; drop one of them first"
            )
        return made

    def add(self, client_id: str, *, by: Operator) -> NewSecret:
        """Make a further secret; the one before it stays good.

        Raises:
            ClientUnknown, ClientInvalid: it is public, or has two secrets.
        """
        client = self.clients.get(client_id)
        if client is None:
            raise ClientUnknown(client_id)
        if client.registration.is_public:
            raise ClientInvalid(f"{client_id} is a public client and has no secret")
        if client.registration.has_keys:
            raise ClientInvalid(f"{client_id} has keys, and so no secret")
        made = self.make(client_id)
        self._record("client_secret_added", client_id, secret_id=made.secret_id, by=by)
        return made

    def drop(self, client_id: str, secret_id: str | None, *, by: Operator) -> str:
        """Delete a secret, the older one unless it is named; return its id.

        Raises:
            ClientUnknown, ClientInvalid: it is unknown, or the only one.
        """
        if self.clients.get(client_id) is None:
            raise ClientUnknown(client_id)
        dropped = self.clients.drop_secret(client_id, secret_id)
        if dropped is None:
            raise ClientInvalid(
                f"{client_id} has no such secret, or no other one; `clients disable` "
                "closes a client"
            )
        self._record("client_secret_dropped", client_id, secret_id=dropped, by=by)
        return dropped

    def _record(
        self, event: str, client_id: str, *, secret_id: str, by: Operator
    ) -> None:
        detail = {**by.as_detail(), "client": client_id, "secret_id": secret_id}
        self.audit.record(event, now=self.clock(), detail=detail)
