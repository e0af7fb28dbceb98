"""Rings in memory, keys, and what the tests of the key use cases share."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.flows.errors import SigningKeyRefused, StorageFailed
from app.flows.keys.life_cycle import ordered
from app.flows.ports import StoredKey
from tests.fakes.keys import signing_key

TOKEN_LIFETIME = 86_400.0


def key(name: str, alg: Algorithm = "ES256") -> SigningKey:
    return signing_key(alg, name)


def stored(name, ring="platform", status="active", **changes):
    signing = changes.pop("key", None) or key(name)
    fields = {"created_at": 1.0, "alg": signing.alg, **changes}
    return StoredKey(kid=signing.kid, ring=ring, status=status, key=signing, **fields)


@dataclass
class FakeKeys:
    """Both rings in a list; keeps the promises of `SigningKeys`."""

    stored: list[StoredKey] = field(default_factory=list)
    former: set[str] = field(default_factory=set)
    reads: int = 0
    changes: int = 0
    fails: bool = False
    meanwhile: list[StoredKey] = field(default_factory=list)
    """What a racing process adds before the next change."""

    def list(self, ring):
        self.reads += 1
        if self.fails:
            raise StorageFailed("down")
        return ordered(one for one in self.stored if one.ring == ring)

    def change(self, ring, change):
        self.stored += self.meanwhile
        self.meanwhile = []
        before = self.list(ring)
        after = list(change(before))
        self._check(before, after)
        gone = [one for one in before if one.kid not in {k.kid for k in after}]
        self.former |= {one.key.thumbprint for one in gone}
        self.stored = [one for one in self.stored if one.ring != ring] + after
        self.changes += 1
        return after

    def is_former(self, thumbprint):
        return thumbprint in self.former

    def _check(self, before, after):
        kids = [one.kid for one in after]
        places = [(k.alg, k.status) for k in after if k.status != "retired"]
        assert len(set(kids)) == len(kids)
        assert len(set(places)) == len(places)
        known = {one.kid for one in before}
        for one in after:
            if one.kid not in known and self.is_former(one.key.thumbprint):
                raise SigningKeyRefused("a key never comes back")


@dataclass
class FakeUse:
    """What the keys have signed."""

    sessions: dict[str, int] = field(default_factory=dict)
    logins: dict[str, int] = field(default_factory=dict)
    live: int = 0
    asked: list[dict] = field(default_factory=list)

    def pinned_sessions(self):
        return self.sessions

    def pinned_logins(self):
        return self.logins

    def live_sessions(self, **window):
        self.asked.append(window)
        return self.live


@dataclass
class FakeAudit:
    """Remembers what was recorded."""

    events: list[tuple] = field(default_factory=list)

    def record(self, event, *, now, did=None, sid=None, detail=None):
        self.events.append((event, detail))

    def names(self):
        return [event for event, _ in self.events]
