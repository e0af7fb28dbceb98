"""The e-mail address of an account, as its PDS names it, read at a sign-in.

It is read beside the sign-in, after the profile record, and only where an app may be
told of it and the person let us read it at the host. It is foreign text and the word of
that PDS alone: an account that moves leaves the address of its former PDS behind.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.atproto.client import OAuthClient
from app.atproto.errors import AtprotoError
from app.atproto.http.types import Deadline
from app.atproto.records import OAuthSession
from app.atproto.scopes.scope import ScopeSet
from app.atproto.syntax.grammar import Did, host_of
from app.flows.errors import StorageFailed
from app.flows.ports import Users

log = logging.getLogger(__name__)

BUDGET: Final = 5.0
"""Seconds for the answer."""

MOST_BYTES: Final = 64 * 1024

LONGEST: Final = 254
"""Characters of an address (RFC 5321 section 4.5.3.1.3, without the brackets)."""

READ_EMAIL: Final = "account:email"
"""The permission; `transition:email` grants it too."""

ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
"""As HTML reads it: ASCII, no quotes, no comments. No two look the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteEmail:
    """Reads the address of an account that has just signed in."""

    client: OAuthClient
    grant_of: Callable[[Did, str], OAuthSession | None]
    users: Users
    is_told: Callable[[], bool]
    """Whether SCOPE asks for addresses and an app may be told of them."""
    clock: Callable[[], float]

    def __call__(self, did: Did, session_id: str) -> None:
        """Note the address that the PDS names; what fails is logged alone."""
        try:
            grant = self.grant_of(did, session_id) if self.is_told() else None
            if grant is not None:
                self._note(grant)
        except (AtprotoError, StorageFailed) as error:
            log.info("the e-mail address of %s is not read: %s", did, error)

    def _note(self, grant: OAuthSession) -> None:
        user, host = self.users.get(grant.did), host_of(grant.pds)
        if user is None:
            return
        is_granted = ScopeSet.parse(grant.scope).allows(READ_EMAIL)
        if user.email_host is not None and (not is_granted or user.email_host != host):
            self.users.note_email(grant.did, email=None, host=None, confirmed_at=None)
        document = self._read(grant) if is_granted else None
        if document is None:
            return
        email = address_in(document)
        is_confirmed = email is not None and document.get("emailConfirmed") is True
        self.users.note_email(
            grant.did,
            email=email,
            host=None if email is None else host,
            confirmed_at=self.clock() if is_confirmed else None,
        )

    def _read(self, grant: OAuthSession) -> Mapping[str, Any] | None:
        """Return what the PDS of the grant says of this account, or None.

        A request that refreshes the grant goes on at the account's PDS of now.
        """
        response = self.client.restore(grant.did, grant.session_id).request(
            "GET",
            "/xrpc/com.atproto.server.getSession",
            headers={"Accept": "application/json"},
            deadline=Deadline.after(BUDGET),
            limit=MOST_BYTES,
        )
        now = self.grant_of(grant.did, grant.session_id)
        if response.status != 200 or now is None or now.pds != grant.pds:
            return None
        document = response.json_object()
        return document if document.get("did") == grant.did else None


def address_in(document: Mapping[str, Any]) -> str | None:
    """Return the address of an answer, which is foreign: None if it is no address."""
    email = document.get("email")
    if not isinstance(email, str) or len(email) > LONGEST:
        return None
    return email if ADDRESS.fullmatch(email) else None
