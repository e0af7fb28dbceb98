"""Manage OAuth clients: the operator's `clients add | edit | disable | remove`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from app.atproto.errors import AtprotoError, IdentifierInvalid
from app.atproto.http.types import Deadline
from app.atproto.syntax.grammar import Did, Handle, parse_handle
from app.flows.errors import ClientInvalid, ClientUnknown
from app.flows.operator import Operator
from app.flows.ports import Audit, Together

from .client_secrets import ManageSecrets
from .grants.ending import ManageGrants
from .presets import PRESETS, Settled
from .redirect_uris import base_of
from .registration import Client, Clients, Email, Registration
from .rules import MOST_CLIENTS, RegistrationRules

LOOK_UP: Final = 10.0
"""Seconds for the look-up of a handle that an operator named."""


class FindDid(Protocol):
    """Looks a handle up, now and on the network."""

    def __call__(self, handle: Handle, *, deadline: Deadline) -> Did:
        """Return the DID of a handle, verified in both directions.

        Raises:
            AtprotoError: there is none, or the look-up failed.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A new client with its secret and the configuration of its app."""

    client: Client
    secret: str | None = field(repr=False)
    """None for a public client."""
    configuration: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageClients:
    """`clients add | list | show | edit | disable | enable | remove`."""

    clients: Clients
    secrets: ManageSecrets
    rules: RegistrationRules
    find_did: FindDid
    grants: ManageGrants
    audit: Audit
    together: Together
    clock: Callable[[], float]
    issuer: str

    def add(
        self,
        client_id: str,
        *,
        named: Mapping[str, Any],
        allow: Sequence[str],
        url: str | None,
        by: Operator,
    ) -> Added:
        """Register a client; `named` are fields of a `Registration`.

        The preset fills in what `named` leaves out.

        Raises:
            ClientInvalid: what is named cannot be registered, or the id is taken.
        """
        self.rules.check_id(client_id)
        registration = self._drafted(client_id, named, url)
        now = self.clock()
        client = Client(
            client_id=client_id,
            registration=registration,
            allow=self._policy(allow),
            created_at=now,
            changed_at=now,
        )
        if not self.clients.add(client, most=MOST_CLIENTS):
            raise ClientInvalid(
                f"{client_id} is registered already, or there are {MOST_CLIENTS}"
            )
        self._record("client_added", client_id, by, allow=_audited(client.allow))
        has_secret = not (registration.is_public or registration.has_keys)
        secret = self.secrets.make(client_id).secret if has_secret else None
        settled = Settled(
            issuer=self.issuer,
            client_id=client_id,
            client_secret=secret,
            registration=registration,
            url=url or registration.redirect_uris[0],
        )
        configuration = PRESETS[registration.preset].configure(settled)
        return Added(client=client, secret=secret, configuration=configuration)

    def list(self) -> Sequence[Client]:
        """Return all clients by client_id."""
        return self.clients.list()

    def get(self, client_id: str) -> Client:
        """Return a client. Raises `ClientUnknown`."""
        found = self.clients.get(client_id)
        if found is None:
            raise ClientUnknown(client_id)
        return found

    def edit(
        self,
        client_id: str,
        *,
        named: Mapping[str, Any],
        allow: Sequence[str],
        by: Operator,
    ) -> Client:
        """Replace what is named; an empty `allow` keeps the policy.

        A client that is to be told addresses from now on asks people again: they
        allowed a made-up address, or none.

        Raises:
            ClientUnknown, ClientInvalid: nothing was changed.
        """
        policy = self._policy(allow) if allow else None
        former: list[Email] = []

        def changed(client: Client) -> Client:
            former.append(client.registration.email)
            registration = replace(client.registration, **named)
            return replace(
                client,
                registration=self.rules.checked(registration),
                allow=client.allow if policy is None else policy,
            )

        detail: dict[str, object] = {"fields": sorted(named)}
        if policy is not None:
            detail["allow"] = _audited(policy)
        with self.together():
            client = self._change(client_id, changed, "client_changed", by=by, **detail)
            if client.registration.email == "account" and former != ["account"]:
                self.clients.forget_answers(client_id)
                self.grants.end_all(client_id=client_id, by=by)
        return client

    def disable(self, client_id: str, *, by: Operator) -> Client:
        """Close a client for everyone, and end its grants. Raises `ClientUnknown`."""
        now = self.clock()
        with self.together():
            changed = self._change(
                client_id,
                lambda client: replace(client, disabled_at=client.disabled_at or now),
                "client_disabled",
                by=by,
            )
            self.grants.end_all(client_id=client_id, by=by)
        return changed

    def enable(self, client_id: str, *, by: Operator) -> Client:
        """Open a client again. Raises `ClientUnknown`."""
        return self._change(
            client_id,
            lambda client: replace(client, disabled_at=None),
            "client_enabled",
            by=by,
        )

    def remove(self, client_id: str, *, by: Operator) -> None:
        """Delete a client with its secrets, grants and consents.

        Raises `ClientUnknown`.
        """
        with self.together():
            if not self.clients.remove(client_id):
                raise ClientUnknown(client_id)
            self._record("client_removed", client_id, by)
            self.grants.end_all(client_id=client_id, by=by)

    def _drafted(
        self, client_id: str, named: Mapping[str, Any], url: str | None
    ) -> Registration:
        preset = PRESETS[named.get("preset", "generic")]
        given = {"name": client_id, "redirect_uris": (), **preset.defaults, **named}
        if url is not None and not given["redirect_uris"]:
            given["redirect_uris"] = (_below(url, preset.path),)
        if given.get("is_public") and preset.path:
            raise ClientInvalid("this app keeps a secret: leave --public out")
        return self.rules.checked(Registration(**given))

    def _policy(self, allow: Sequence[str]) -> tuple[str, ...]:
        return self.rules.checked_policy(
            tuple(self._did(one) if one.startswith("@") else one for one in allow)
        )

    def _did(self, entry: str) -> str:
        try:
            handle = parse_handle(entry.removeprefix("@"))
            return self.find_did(handle, deadline=Deadline.after(LOOK_UP))
        except IdentifierInvalid as error:
            raise ClientInvalid(f"--allow {entry[:80]!r}: {error}") from error
        except AtprotoError as error:
            raise ClientInvalid(
                f"--allow {entry[:80]!r} has no DID now: {error}"
            ) from error

    def _change(
        self,
        client_id: str,
        change: Callable[[Client], Client],
        event: str,
        *,
        by: Operator,
        **detail: object,
    ) -> Client:
        now = self.clock()
        found = self.clients.change(
            client_id, lambda client: replace(change(client), changed_at=now)
        )
        if found is None:
            raise ClientUnknown(client_id)
        self._record(event, client_id, by, **detail)
        return found

    def _record(self, event: str, client_id: str, by: Operator, **more: object) -> None:
        detail = {**by.as_detail(), "client": client_id, **more}
        self.audit.record(event, now=self.clock(), detail=detail)


def _audited(allow: Sequence[str]) -> list[str]:
    """Return a policy without DIDs: deleting an account leaves none in the audit."""
    return ["a DID" if one.startswith("did:") else one for one in allow]


def _below(url: str, path: str) -> str:
    try:
        return base_of(url) + path if path else url
    except ValueError as error:
        raise ClientInvalid(f"--url {url[:100]!r}: {error}") from error
