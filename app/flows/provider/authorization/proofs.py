"""Proofs: a held request notes the sign-in that was begun for it, and its prompt.

`prompt=login` and `max_age` are met by nothing else: neither by a sign-in that began in
another tab, nor by one whose person left the prompt out of a link (P12).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import urlencode

from app.flows.errors import StorageFailed
from app.flows.login.destination import CONSENT, Destination, held_in
from app.flows.ports import Session

from .waiting import KeepRequests, Proof

log = logging.getLogger(__name__)


def consent_url(secret: str, mark: str = "") -> str:
    """Return where a held request goes on; `mark` says which session was chosen."""
    fields = {"request": secret, "mark": mark}
    return f"{CONSENT}?{urlencode({name: v for name, v in fields.items() if v})}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteProof:
    """Notes a sign-in at the held request that it was begun for."""

    keep: KeepRequests

    def __call__(self, destination: Destination, session: Session) -> None:
        """Note it, best effort: without the note, the person is asked again.

        The destination is the one that the login began with; no URL of the callback
        can change it.
        """
        secret = held_in(destination.return_to)
        if not secret:
            return
        proof = Proof(sid=session.sid, prompt=destination.prompt)
        try:
            self.keep.note_proof(secret, proof)
        except StorageFailed as error:
            log.warning("a sign-in is not noted at its request: %s", error)
