"""The use case that reads profile records, for what apps are told of people."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.atproto.syntax.grammar import Did
from app.factory.container import Parts
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.people.emails import NoteEmail
from app.flows.people.profiles import AT_ONCE, NoteProfile

from .clients import is_email_asked


def note_profile_of(parts: Parts) -> NoteProfile:
    """Return the use case that reads a profile record beside a sign-in."""
    settings, stores = parts.settings, parts.stores

    def pds_of(did: Did, session_id: str) -> str | None:
        grant = stores.grants.get(did, session_id)
        return grant.pds if grant else None

    note_email = NoteEmail(
        client=parts.client,
        grant_of=stores.grants.get,
        users=stores.users,
        is_told=lambda: (
            is_email_asked(settings) and stores.clients.are_any_told_addresses()
        ),
        clock=parts.outside.clock,
    )
    return NoteProfile(
        http=parts.outside.http,
        users=stores.users,
        pds_of=pds_of,
        note_email=note_email,
        is_told=lambda: settings.provider and stores.clients.are_any(),
        start=parts.outside.start or start_thread,
        places=ConcurrencyLimit("service", total=AT_ONCE, retry_after=5),
        clock=parts.outside.clock,
    )


def start_thread(work: Callable[[], None]) -> None:
    """Run work in a thread that keeps no process from its end."""
    threading.Thread(target=work, name="profile", daemon=True).start()
