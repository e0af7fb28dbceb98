"""Change a key ring in one transaction; the audit records what became of each key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.flows.ports import Audit, KeyStatus, Ring, SigningKeys, StoredKey

from .life_cycle import current

log = logging.getLogger(__name__)

_BECAME: Final[Mapping[KeyStatus, str]] = {
    "next": "key_added",
    "active": "key_activated",
    "retired": "key_retired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRing:
    """Changes a ring as it is now: a due next key is active already."""

    keys: SigningKeys
    audit: Audit
    clock: Callable[[], float]

    def __call__(
        self,
        ring: Ring,
        change: Callable[[Sequence[StoredKey]], Sequence[StoredKey]],
        *,
        detail: Mapping[str, object] | None = None,
    ) -> Sequence[StoredKey]:
        """Replace the ring by what `change` returns for it, and return that.

        `detail` joins the detail of every event. Raises what `change` and
        `SigningKeys.change` raise; then nothing is changed.
        """
        now = self.clock()
        before: list[StoredKey] = []

        def change_current(stored: Sequence[StoredKey]) -> Sequence[StoredKey]:
            before[:] = stored
            return change(current(stored, now))

        after = self.keys.change(ring, change_current)
        for event, key in _events(before, after):
            self.audit.record(
                event,
                now=now,
                detail={
                    "ring": ring,
                    "kid": key.kid,
                    "status": key.status,
                    **(detail or {}),
                },
            )
            log.info("%s: %s of the %s ring (%s)", event, key.kid, ring, key.status)
        return after


def _events(
    before: Sequence[StoredKey], after: Sequence[StoredKey]
) -> Iterator[tuple[str, StoredKey]]:
    former = {key.kid: key.status for key in before}
    for key in after:
        if key.kid not in former:
            yield "key_added", key
        elif key.status != former[key.kid]:
            yield _BECAME[key.status], key
    kept = {key.kid for key in after}
    for key in before:
        if key.kid not in kept:
            yield "key_deleted", key
