"""The profile record of an account (`app.bsky.actor.profile/self`), read at a sign-in.

It is read beside the sign-in, which neither waits for it nor fails with it, and only
where an app may be told of it. What stands in it is the person's own word: no URL is
taken from it, and a picture is built from a template and a checked CID.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from app.atproto.errors import AtprotoError
from app.atproto.http.types import HTTP, Deadline
from app.atproto.syntax.grammar import Did
from app.flows.errors import StorageFailed, TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.login.typing import visible
from app.flows.ports import Session, Users

log = logging.getLogger(__name__)

BUDGET: Final = 5.0
"""Seconds for the record."""

MOST_BYTES: Final = 64 * 1024

AT_ONCE: Final = 8
"""Records that a process reads at once; beyond, a sign-in reads none."""

COLLECTION: Final = "app.bsky.actor.profile"

CID: Final = re.compile(r"bafkrei[a-z2-7]{52}")
"""The CID of a blob: version 1, raw, SHA-256, in base32."""

Start = Callable[[Callable[[], None]], object]
"""Runs work in a thread of its own, and returns at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is kept of a record; None for what is missing or no such thing."""

    display_name: str | None
    avatar_cid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteProfile:
    """Reads the profile record of an account that has just signed in."""

    http: HTTP
    users: Users
    pds_of: Callable[[Did, str], str | None]
    """The PDS of a DID's OAuth session, as it was verified."""
    is_told: Callable[[], bool]
    """Whether an app may be told of it."""
    note_email: Callable[[Did, str], None]
    """Then reads the e-mail address (`emails.py`)."""
    start: Start
    places: ConcurrencyLimit
    clock: Callable[[], float]

    def __call__(self, session: Session) -> None:
        """Begin to read the record of a session's account; raises nothing."""
        grant = session.oauth_session_id
        try:
            if grant is not None and self.is_told():
                self.start(lambda: self._read_both(session.did, grant))
        except (RuntimeError, StorageFailed) as error:  # the machine has no thread left
            log.info("a profile is not read: %s", error)

    def _read_both(self, did: Did, grant: str) -> None:
        try:
            with self.places.hold():
                self._note(did, grant)
                self.note_email(did, grant)
        except TooManyRequests as error:
            log.info("the profile of %s is not read: %s", did, error)

    def _note(self, did: Did, grant: str) -> None:
        try:
            profile = self._read(did, self.pds_of(did, grant))
            if profile is not None:
                self.users.note_profile(
                    did,
                    display_name=profile.display_name,
                    avatar_cid=profile.avatar_cid,
                    now=self.clock(),
                )
        except (AtprotoError, StorageFailed) as error:
            log.info("the profile of %s is not read: %s", did, error)

    def _read(self, did: Did, pds: str | None) -> Profile | None:
        """Return what the record says; None if the PDS does not say."""
        if pds is None:
            return None
        named = {"repo": did, "collection": COLLECTION, "rkey": "self"}
        response = self.http.request(
            "GET",
            f"{pds}/xrpc/com.atproto.repo.getRecord?{urlencode(named)}",
            deadline=Deadline.after(BUDGET),
            limit=MOST_BYTES,
            headers={"Accept": "application/json"},
            timeout=BUDGET,
        )
        document = response.json_object()
        if response.status == 200:
            return profile_in(document.get("value"))
        is_missing = (
            response.status == 400 and document.get("error") == "RecordNotFound"
        )
        return Profile(display_name=None, avatar_cid=None) if is_missing else None


def profile_in(record: Any) -> Profile:
    """Read a profile record, which is foreign: anything may stand anywhere in it."""
    fields: Mapping[str, Any] = record if isinstance(record, dict) else {}
    name = fields.get("displayName")
    shown = " ".join(visible(name).split()) if isinstance(name, str) else ""
    return Profile(display_name=shown or None, avatar_cid=_cid(fields.get("avatar")))


def _cid(blob: Any) -> str | None:
    try:
        link = blob["ref"]["$link"]
    except (KeyError, TypeError, IndexError):
        return None
    is_cid = isinstance(link, str) and CID.fullmatch(link)
    return link if is_cid else None
