"""Identity resolution: from a handle or a DID to the account's DID, handle and PDS.

A handle counts only when the account's DID document claims it too (requirement 1.21).
The DID is the account and never changes; a handle is display text (requirement 1.30).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..errors import (
    AtprotoError,
    HandleMismatch,
    HandleNotFound,
    IdentifierInvalid,
)
from ..http.types import HTTP, Deadline
from ..http.url_policy import NetworkPolicy
from ..stores.protocols import BatchCache, Cache
from ..syntax.grammar import (
    Did,
    Handle,
    Origin,
    parse_did,
    parse_handle,
    parse_origin,
)
from .did import DidDocument, DidResolver
from .dns import TxtLookup
from .handle import HandleResolver

log = logging.getLogger(__name__)

FRESH_FOR: Final = 300.0
"""Seconds for which an identity is cached: half of what requirement 1.28 allows, so
that what was verified at the start of a login is fresh at its callback."""

UNNAMED_FOR: Final = 60.0
"""The same for an identity whose handle could not be verified (requirement 1.20)."""

NAMING_LIMIT: Final = 2.0
"""Seconds for verifying a handle that is only displayed (requirement 1.22)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An account, its PDS, and its handle if that is verified in both directions."""

    did: Did
    handle: Handle | None
    pds: Origin
    resolved_at: float
    """Epoch seconds at which resolving began; every document used is younger."""


class IdentityResolver:
    """Resolves identifiers; caches identities for a few minutes, and no failures."""

    def __init__(
        self,
        *,
        http: HTTP,
        txt: TxtLookup,
        plc_url: str,
        cache: Cache,
        clock: Callable[[], float],
        policy: NetworkPolicy,
        before_host: Callable[[str], None],
    ) -> None:
        """Resolve with these collaborators.

        `before_host` is called with each host that an identifier makes us ask, except
        the PLC directory, and may refuse by raising (requirement 9.6).
        """
        self._cache = cache
        # Asked once: isinstance looks up every method of a protocol.
        self._batches = cache if isinstance(cache, BatchCache) else None
        self._clock = clock
        self._policy = policy
        self._dids = DidResolver(
            http=http,
            plc_url=plc_url,
            before_host=before_host,
            allow_http=policy.allow_http,
        )
        self._handles = HandleResolver(
            http=http,
            txt=txt,
            policy=policy,
            before_host=before_host,
        )

    def resolve(
        self,
        identifier: Handle | Did,
        *,
        deadline: Deadline,
        fresh: bool = False,
    ) -> Identity:
        """Return the account of a handle or a DID.

        `fresh` reads no cache (requirement 6.14); the result is cached all the same.

        Raises:
            HandleNotFound, AccountNotFound: there is no such account.
            HandleMismatch: the account does not claim the handle (requirement 1.21).
            HostUnreachable: a host that had to be asked did not answer.
            ServerInvalid: an answer breaks the profile.
        """
        kept = None if fresh else self._recall(identifier)
        if kept is not None:
            return kept
        began = self._clock()
        if identifier.startswith("did:"):
            identity = self._from_did(Did(identifier), began, deadline)
        else:
            identity = self._from_handle(Handle(identifier), began, deadline)
        self._remember(identity)
        return identity

    def relocate(
        self, did: Did, handle: Handle | None, *, deadline: Deadline
    ) -> Identity:
        """Return where the account of a session lives now.

        Reads no cache and does not verify the handle again: a refresh does not need it
        (requirement 7.15). `before_host` is not called, because the session is ours
        and no new identifier. Raises what `resolve` raises.
        """
        began = self._clock()
        known = did.removeprefix("did:web:")
        document = self._dids.resolve(did, deadline=deadline, counted=known)
        return Identity(did=did, handle=handle, pds=document.pds, resolved_at=began)

    def verified_handle(
        self, did: Did, *, deadline: Deadline, matters: Callable[[Handle], bool]
    ) -> Handle | None:
        """Return the handle of an account, verified now in both directions, or None.

        Reads no cache. Unlike `resolve`, it says so when a look-up failed: then the
        account may have a handle, and None would deny it. A handle for which `matters`
        returns false is not looked up, and counts as none.

        Raises:
            AccountNotFound: there is no such account.
            HostUnreachable: a host that had to be asked did not answer.
            ServerInvalid: an answer breaks the profile.
        """
        handle = self._dids.resolve(did, deadline=deadline).claimed_handle
        if handle is None or not matters(handle):
            return None
        try:
            found = self._handles.resolve(handle, deadline=deadline)
        except HandleNotFound:
            return None
        return handle if found == did else None

    def forget(self, did: Did, handle: Handle | None = None) -> None:
        """Drop what is cached of an account (requirement 1.29)."""
        for name in (did, handle):
            if name is not None:
                self._cache.delete(_key(name))

    def _from_handle(
        self, handle: Handle, began: float, deadline: Deadline
    ) -> Identity:
        did = self._handles.resolve(handle, deadline=deadline)
        document = self._dids.resolve(did, deadline=deadline, counted=handle)
        if document.claimed_handle != handle:
            raise HandleMismatch(handle, did)
        return Identity(did=did, handle=handle, pds=document.pds, resolved_at=began)

    def _from_did(self, did: Did, began: float, deadline: Deadline) -> Identity:
        document = self._dids.resolve(did, deadline=deadline)
        handle = self._verified(document, deadline.within(NAMING_LIMIT))
        return Identity(did=did, handle=handle, pds=document.pds, resolved_at=began)

    def _verified(self, document: DidDocument, budget: Deadline) -> Handle | None:
        """Return the claimed handle if it points back, or None (requirement 1.22)."""
        handle = document.claimed_handle
        if handle is None:
            return None
        try:
            did = self._handles.resolve(handle, deadline=budget)
        except AtprotoError as error:
            log.info("handle of %s is unverified: %s", document.did, error)
            return None
        return handle if did == document.did else None

    def _remember(self, identity: Identity) -> None:
        lifetime = FRESH_FOR if identity.handle is not None else UNNAMED_FOR
        lifetime -= self._clock() - identity.resolved_at
        entry = json.dumps(
            {
                "did": identity.did,
                "handle": identity.handle,
                "pds": identity.pds,
                "resolved_at": identity.resolved_at,
            }
        )
        names = [name for name in (identity.did, identity.handle) if name is not None]
        if self._batches is not None:
            entries = dict.fromkeys(map(_key, names), entry)
            self._batches.put_all(entries, lifetime=lifetime)
            return
        for name in names:
            self._cache.put(_key(name), entry, lifetime=lifetime)

    def _recall(self, identifier: Handle | Did) -> Identity | None:
        """Return the cached identity if it still parses."""
        entry = self._cache.get(_key(identifier))
        if entry is None:
            return None
        try:
            identity = self._parse(json.loads(entry))
        except (ValueError, TypeError, KeyError, IdentifierInvalid):
            log.warning("the cached identity of %s is malformed", identifier)
            return None
        return identity if identifier in {identity.did, identity.handle} else None

    def _parse(self, entry: dict[str, Any]) -> Identity:
        handle = entry["handle"]
        policy = self._policy
        return Identity(
            did=parse_did(
                entry["did"],
                allow_localhost=policy.allow_http,
                allow_test=policy.allow_test_names,
            ),
            handle=None if handle is None else parse_handle(handle),
            pds=parse_origin(entry["pds"], allow_http=policy.allow_http),
            resolved_at=float(entry["resolved_at"]),
        )


def _key(identifier: Handle | Did) -> str:
    return f"identity:{identifier}"
