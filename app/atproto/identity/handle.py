"""From a handle to the DID that it points to: DNS and HTTPS, side by side.

Both methods start together; a valid TXT answer is used at once, a valid HTTPS answer
gives DNS a moment to disagree, and nobody waits for the loser (1.11, 1.12).
What comes out is a claim: `identity/resolver.py` asks the account whether it agrees.
"""

from __future__ import annotations

import logging
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from ..errors import (
    AtprotoError,
    DocumentInvalid,
    HandleNotFound,
    HostUnknown,
    HostUnreachable,
    IdentifierInvalid,
    ResponseTooLarge,
)
from ..syntax.grammar import Did, Handle, Origin, is_handle_resolvable, parse_did
from .did import require_success

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..http.types import HTTP, Deadline
    from ..http.url_policy import NetworkPolicy
    from .dns import TxtLookup

log = logging.getLogger(__name__)

LOOKUP_LIMIT: Final = 3.0
"""Seconds for each method (requirement 1.17)."""

TXT_GRACE: Final = 0.3
"""Seconds that a valid HTTPS answer waits for DNS to speak."""

BODY_LIMIT: Final = 10_000
"""Bytes of a well-known answer; a DID has two thousand at most (requirement 1.17)."""

MOST_REDIRECTS: Final = 3
"""Each is judged like the first address (requirement 1.16)."""

MOST_LOOKUPS: Final = 128
"""Lookups under way at once, in the whole process; further ones queue (9.6)."""

LONGEST_TXT_HANDLE: Final = 253 - len("_atproto.")
"""A longer handle leaves no room for the prefix in a DNS name (requirement 1.14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Race:
    """The two lookups of one handle."""

    handle: Handle
    txt: Future[Did | None]
    https: Future[Did | None]
    budget: Deadline

    def winner(self) -> Did | None:
        """Return the DID to use as soon as it is known (requirement 1.12).

        HTTPS counts once DNS has spoken, or has been silent for a while after it.
        """
        both = (self.txt, self.https)
        wait(both, timeout=self._left(), return_when=FIRST_COMPLETED)
        has_answer = _found(self.https) is not None
        wait((self.txt,), timeout=self._left(TXT_GRACE if has_answer else LOOKUP_LIMIT))
        did = _found(self.txt)
        if did is None:
            wait((self.https,), timeout=self._left())
            did = _found(self.https)
        return did

    def failure(self) -> AtprotoError | None:
        """Return why there is no winner; None when both answered and said no (1.18)."""
        for lookup in (self.https, self.txt):
            if not lookup.done():
                return HostUnreachable(self.handle, "its lookup took too long")
            error = lookup.exception()
            if isinstance(error, AtprotoError):
                return error
        return None

    def _left(self, most: float = LOOKUP_LIMIT) -> float:
        return min(max(self.budget.remaining(), 0.0), most)


def _found(lookup: Future[Did | None]) -> Did | None:
    if not lookup.done():
        return None
    try:
        return lookup.result()
    except AtprotoError:
        return None  # this method failed, see `failure`; the other may do


class HandleResolver:
    """Resolves handles. One for the process: its threads are shared and bounded."""

    def __init__(
        self,
        *,
        http: HTTP,
        txt: TxtLookup,
        policy: NetworkPolicy,
        before_host: Callable[[str], None],
        fallback: Origin | None,
    ) -> None:
        """Resolve by `http` and `txt`.

        `before_host` hears whose host will be asked and may refuse by raising.
        `fallback` names a host to ask when the methods leave the question open (1.19).
        """
        self._http = http
        self._txt = txt
        self._policy = policy
        self._before_host = before_host
        self._fallback = fallback
        self._lookups = ThreadPoolExecutor(MOST_LOOKUPS, thread_name_prefix="handle")

    def resolve(self, handle: Handle, *, deadline: Deadline) -> Did:
        """Return the DID that the handle points to.

        Raises:
            HandleNotFound: both methods answered, and know no such account; or the
                name is reserved, and nobody was asked (requirements 1.5, 1.6).
            HostUnreachable: one of them could not say: not the same as "no" (1.18).
            ServerInvalid: one of them said something that we refuse.
        """
        if not is_handle_resolvable(handle, allow_test=self._policy.allow_test_names):
            raise HandleNotFound(handle)
        self._before_host(handle)
        race = self._start(handle, deadline.within(LOOKUP_LIMIT))
        did = race.winner()
        if did is None:
            failure = race.failure()
            if failure is None:
                raise HandleNotFound(handle)
            did = self._by_fallback(handle, deadline.within(LOOKUP_LIMIT))
            if did is None:
                raise failure
        return did

    def _start(self, handle: Handle, budget: Deadline) -> _Race:
        return _Race(
            handle=handle,
            txt=self._lookups.submit(self._by_txt, handle, budget),
            https=self._lookups.submit(self._by_https, handle, budget),
            budget=budget,
        )

    def _by_txt(self, handle: Handle, budget: Deadline) -> Did | None:
        """Return the DID of the handle's TXT record; None when DNS says no (1.13).

        Raises:
            DocumentInvalid: records that name different accounts.
            HostUnreachable: DNS could not say.
        """
        if len(handle) > LONGEST_TXT_HANDLE:
            return None
        name = f"_atproto.{handle}"
        records = self._txt(name, timeout=budget.remaining())
        values = {text[4:] for text in records if text.startswith("did=")}
        if len(values) > 1:
            raise DocumentInvalid(name, "its TXT records name different accounts")
        return self._did(values.pop()) if values else None

    def _by_https(self, handle: Handle, budget: Deadline) -> Did | None:
        """Return the DID that the handle's host serves; None when it says no (1.15).

        Any page that is not a DID is a no: many sites answer 200 to everything. A
        status other than "not found" is a failure, because nothing was said about the
        handle (firewalls answer 403 to data centres).
        """
        url = f"https://{handle}/.well-known/atproto-did"
        try:
            response = self._http.request(
                "GET",
                url,
                headers={"Accept": "text/plain, */*;q=0.5"},
                deadline=budget,
                limit=BODY_LIMIT,
                redirects=MOST_REDIRECTS,
                timeout=LOOKUP_LIMIT,
            )
        except ResponseTooLarge:
            return None
        except HostUnknown as unknown:
            if unknown.host != handle:  # some other host, to which it redirects
                raise
            return None
        if response.status in {404, 410}:
            return None
        require_success(response)
        return self._did(response.body.decode("ascii", "replace").strip())

    def _by_fallback(self, handle: Handle, budget: Deadline) -> Did | None:
        """Ask a configured host when the methods left the question open (1.19)."""
        if self._fallback is None:
            return None
        query = urlencode({"handle": handle})
        try:
            response = self._http.request(
                "GET",
                f"{self._fallback}/xrpc/com.atproto.identity.resolveHandle?{query}",
                headers={"Accept": "application/json"},
                deadline=budget,
                limit=BODY_LIMIT,
            )
            require_success(response)
            return self._did(str(response.json_object().get("did")))
        except AtprotoError as error:
            # The methods' own failure says more to a person; the caller raises that.
            log.warning("fallback resolver: %s", error)
            return None

    def _did(self, text: str) -> Did | None:
        try:
            return parse_did(
                text,
                allow_localhost=self._policy.allow_http,
                allow_test=self._policy.allow_test_names,
            )
        except IdentifierInvalid:
            return None
