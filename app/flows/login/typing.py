"""What the service does while a person types in the sign-in field.

Accounts are suggested from TYPEAHEAD_URL, and where a handle leads is looked up before
the form is sent. Both are asked by us: no keystroke and no address of a person goes to
another server directly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import category
from urllib.parse import urlencode

from app.atproto.errors import AtprotoError, DocumentInvalid, IdentifierInvalid
from app.atproto.http.types import HTTP, Deadline
from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Handle, parse_handle
from app.atproto.syntax.identifier import Identifier, ServerIdentifier, clean
from app.flows.errors import TooManyRequests
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.limits.host_limits import login_from
from app.flows.limits.networks import hit_networks, network_of, widths_of
from app.flows.ports import RateLimit

from .avatars import small

log = logging.getLogger(__name__)

MOST: Final = 8
"""Accounts that are suggested."""

LONGEST: Final = 64
"""Characters of a question and of a name that is shown."""

ANSWER_BYTES: Final = 64 * 1024
ANSWER_LIMIT: Final = 2.0
"""Seconds for an answer: a later one is of no use to a person who types."""

FRESH: Final = 300.0
"""Seconds for which an answer is given again."""

FAILED: Final = 15.0
"""Seconds without a question after one that failed."""

CACHE_ENTRIES: Final = 2_000

LOOK_UP_BUDGET: Final = 9.0
LOOK_UPS: Final = 0.25
"""The part of the limit while typing that look-ups may use: they ask other hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """An account that may be meant; its name is the person's own text."""

    handle: Handle
    name: str
    avatar: str = ""
    """Where its picture is, for `FetchAvatar`; "" without one."""


Answers = MemoryCache[Sequence[Suggestion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestAccounts:
    """POST /auth/accounts."""

    http: HTTP
    url: str | None
    """TYPEAHEAD_URL: it takes `q` and `limit`, and answers `{actors: [...]}`."""
    limits: RateLimit
    concurrency: ConcurrencyLimit
    answers: Answers

    def __call__(self, typed: str, *, address: str) -> Sequence[Suggestion]:
        """Return accounts that begin with what was typed; none without TYPEAHEAD_URL.

        Raises:
            TooManyRequests: too many questions of this network, or in this process.
        """
        question = _question(typed)
        if self.url is None or not question:
            return ()
        hit_networks(self.limits, "typing", network_of(address))
        known = self.answers.get(question)
        if known is not None:
            return known
        with self.concurrency.hold():
            found, lifetime = self._ask(self.url, question)
        self.answers.put(question, found, lifetime=lifetime)
        return found

    def _ask(self, url: str, question: str) -> tuple[Sequence[Suggestion], float]:
        try:
            response = self.http.request(
                "GET",
                f"{url}?{urlencode({'q': question, 'limit': MOST})}",
                deadline=Deadline.after(ANSWER_LIMIT),
                limit=ANSWER_BYTES,
                headers={"Accept": "application/json"},
                timeout=ANSWER_LIMIT,
            )
            if response.status != 200:
                log.info("TYPEAHEAD_URL answered %d", response.status)
                return (), FAILED
            return _read(response.json_object()), FRESH
        except AtprotoError as error:
            log.info("TYPEAHEAD_URL gave no accounts: %s", error)
            return (), FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpAhead:
    """POST /auth/lookup: fill the caches that the sign-in reads a moment later."""

    discover: Callable[[Identifier, Deadline], object]
    read_identifier: Callable[[str], Identifier]
    limits: RateLimit
    concurrency: ConcurrencyLimit

    def __call__(self, typed: str, *, address: str) -> None:
        """Look up where a handle or a DID leads; what fails is told at the sign-in.

        A name without a dot, a server and an e-mail address are not looked up.

        Raises:
            TooManyRequests: too many look-ups of this network, or in this process.
        """
        try:
            identifier = self.read_identifier(typed)
        except IdentifierInvalid:
            return
        if isinstance(identifier, ServerIdentifier) or "." not in clean(typed):
            return
        network = network_of(address)
        counted = [(f"look-up {wide}", t * LOOK_UPS) for wide, t in widths_of(network)]
        self.limits.hit_all("typing", counted)
        with self.concurrency.hold(), login_from(network):
            self._look_up(identifier)

    def _look_up(self, identifier: Identifier) -> None:
        try:
            self.discover(identifier, Deadline.after(LOOK_UP_BUDGET))
        except (AtprotoError, TooManyRequests) as error:
            log.debug("a look-up ahead failed: %s", error)


def _question(typed: str) -> str:
    """Return what may be asked: a part of a handle or of a name, or "".

    An e-mail address, a DID and a URL are not passed on.
    """
    try:
        question = clean(typed).lstrip("@").lower()
    except IdentifierInvalid:
        return ""
    is_part = len(question) <= LONGEST and not set("@:/") & set(question)
    return question if is_part else ""


def _read(document: Mapping[str, Any]) -> Sequence[Suggestion]:
    """Read an answer; entries that are no accounts are left out.

    Raises:
        DocumentInvalid: it has no list of actors.
    """
    actors = document.get("actors")
    if not isinstance(actors, list):
        raise DocumentInvalid("TYPEAHEAD_URL", "its answer has no actors")
    read = [_suggestion(actor) for actor in actors[:MOST]]
    return [suggestion for suggestion in read if suggestion is not None]


def _suggestion(actor: Any) -> Suggestion | None:
    try:
        handle, name = parse_handle(actor["handle"]), actor.get("displayName") or ""
    except (AttributeError, KeyError, TypeError, IdentifierInvalid):
        return None
    if handle == "handle.invalid" or not isinstance(name, str):
        return None
    avatar = small(actor.get("avatar"))
    return Suggestion(handle=handle, name=visible(name), avatar=avatar)


def visible(name: str) -> str:
    """Return a foreign name without what hides or turns round its neighbours, cut."""
    shown = "".join(c for c in name[:ANSWER_BYTES] if category(c)[0] != "C")
    return shown.strip()[:LONGEST]
