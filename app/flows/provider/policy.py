"""Policies: which accounts may use a client (`--allow WHO`), and why not.

`everyone`, `group:NAME`, a DID, or `*.example.org`: a handle below that domain that was
verified at most HANDLE_FRESH ago. Several entries mean any of them; none, no account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

from app.atproto.errors import AccountNotFound, AtprotoError, IdentifierInvalid
from app.atproto.http.types import Deadline
from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Did, Handle, parse_did
from app.flows.errors import PolicyNotJudged, TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.people.groups import NAME as GROUP_NAME
from app.flows.people.signup.admission import EVERYONE, VerifiedHandles
from app.flows.people.signup.handle_domains import BELOW, is_below, parse_domain
from app.flows.ports import User

GROUP: Final = "group:"

LOOK_UPS_AT_ONCE: Final = 20
"""Handles that a process looks up at once; beyond, a policy is not judged."""

LOOKED_UP: Final = 10.0
"""Seconds for which a look-up counts in a process, a failed one too: an account chooses
how slowly its host answers, and an app how often it asks."""

LOOK_UPS_KEPT: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may use a client."""

    everyone: bool
    groups: frozenset[str]
    dids: frozenset[str]
    domains: tuple[str, ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Read entries that `checked_entry` returned."""
        listed = list(entries)
        return cls(
            everyone=EVERYONE in listed,
            groups=frozenset(_rest(listed, GROUP)),
            dids=frozenset(entry for entry in listed if entry.startswith("did:")),
            domains=tuple(_rest(listed, BELOW)),
        )

    def has_handle(self, handle: Handle | None) -> bool:
        """Tell whether a handle is below one of the domains, and not one itself."""
        return handle is not None and is_below(handle, self.domains)


def checked_entry(
    entry: str, *, is_public_suffix: Callable[[str], bool], allow_test: bool
) -> str:
    """Return one entry as it is stored. `@handle` is looked up by the caller.

    Raises:
        ValueError: with what is wrong.
    """
    if entry == EVERYONE:
        return entry
    if entry.startswith(GROUP):
        if not GROUP_NAME.fullmatch(entry.removeprefix(GROUP)):
            raise ValueError(f"{entry[:60]!r} names no group")
        return entry
    try:
        if entry.startswith("did:"):
            return parse_did(entry, allow_localhost=allow_test, allow_test=allow_test)
        if entry.startswith(BELOW):
            domain = parse_domain(entry)
            if is_public_suffix(domain):
                raise ValueError(f"{entry!r}: strangers register names below {domain}")
            return BELOW + domain
    except IdentifierInvalid as error:
        raise ValueError(f"{entry[:60]!r}: {error}") from error
    raise ValueError(
        f"{entry[:60]!r} is none of {EVERYONE}, group:NAME, a DID, @handle and "
        "*.example.org"
    )


class GroupsOf(Protocol):
    """The groups of accounts."""

    def of(self, did: Did) -> tuple[str, ...]:
        """Return the names of the groups of a DID, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an account may use a client, and which entry or lack decided."""

    is_allowed: bool
    why: str
    handle: Handle | None
    """As far as it was verified, now or at `handle_checked_at`."""
    handle_checked_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """What a look-up of a handle brought; `failure` says why it brought nothing."""

    at: float
    handle: Handle | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePolicy:
    """Judges an account by the policy of a client."""

    groups: GroupsOf
    handles: VerifiedHandles
    recent: MemoryCache[LookedUp]
    places: ConcurrencyLimit
    clock: Callable[[], float]
    handle_fresh: float
    """HANDLE_FRESH, in seconds."""

    def __call__(
        self, allow: Iterable[str], user: User, *, deadline: Deadline
    ) -> Verdict:
        """Return the verdict. Asks the network only if a domain could decide.

        Raises:
            PolicyNotJudged: the handle could not be looked up, and would decide.
        """
        policy = Policy.of(allow)
        named = self._named(policy, user)
        if named is not None:
            return _verdict(user, named)
        if not policy.domains:
            return _verdict(user, None)
        if self.clock() - user.handle_checked_at > self.handle_fresh:
            user = self._looked_up(policy, user, deadline)
        is_named = policy.has_handle(user.handle)
        return _verdict(user, f"the handle @{user.handle}" if is_named else None)

    def _named(self, policy: Policy, user: User) -> str | None:
        if policy.everyone:
            return EVERYONE
        if user.did in policy.dids:
            return "its DID"
        for group in self.groups.of(user.did) if policy.groups else ():
            if group in policy.groups:
                return GROUP + group
        return None

    def _looked_up(self, policy: Policy, user: User, deadline: Deadline) -> User:
        key = f"{user.did} {' '.join(policy.domains)}"
        found = self.recent.get(key)
        if found is None:
            found = self._look_up(policy, user.did, deadline)
            self.recent.put(key, found, lifetime=LOOKED_UP)
        if found.failure is not None:
            raise PolicyNotJudged(user.did, found.failure)
        return replace(user, handle=found.handle, handle_checked_at=found.at)

    def _look_up(self, policy: Policy, did: Did, deadline: Deadline) -> LookedUp:
        try:
            with self.places.hold():
                handle = self.handles.verified_handle(
                    did, deadline=deadline, matters=policy.has_handle
                )
        except AccountNotFound:
            handle = None
        except TooManyRequests as error:
            raise PolicyNotJudged(did, "too many look-ups") from error
        except AtprotoError as error:
            return LookedUp(at=self.clock(), failure=str(error))
        return LookedUp(at=self.clock(), handle=handle)


def _verdict(user: User, named: str | None) -> Verdict:
    return Verdict(
        is_allowed=named is not None,
        why=named or "no entry of --allow names this account",
        handle=user.handle,
        handle_checked_at=user.handle_checked_at,
    )


def _rest(entries: Iterable[str], beginning: str) -> list[str]:
    return [
        entry.removeprefix(beginning)
        for entry in entries
        if entry.startswith(beginning)
    ]
