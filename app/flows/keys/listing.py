"""List the signing keys of both rings: status, times, and what is bound to each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.flows.ports import KeyUse, SigningKeys, StoredKey

from .life_cycle import RINGS, current, signs_at, tokens_end_at


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """A key as it is now; times are epoch seconds."""

    stored: StoredKey
    signs_at: float | None
    """When a next key begins to sign."""
    ends_at: float | None
    """When the last token of a retired platform key ends."""
    sessions: int | None
    """Sessions at hosts that are bound to a client key (requirement 7.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKeys:
    """`keys list`."""

    keys: SigningKeys
    use: KeyUse
    clock: Callable[[], float]
    token_lifetime: float

    def __call__(self) -> Sequence[KeyState]:
        """Return the keys of both rings; each: active, next, then retired ones."""
        now = self.clock()
        pinned = self.use.pinned_sessions()
        return [
            KeyState(
                stored=key,
                signs_at=signs_at(key) if key.status == "next" else None,
                ends_at=tokens_end_at(key, self.token_lifetime),
                sessions=pinned.get(key.kid, 0) if ring == "client" else None,
            )
            for ring in RINGS
            for key in current(self.keys.list(ring), now)
        ]
