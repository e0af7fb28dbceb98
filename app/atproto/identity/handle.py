"""Handle resolution: from a handle to a DID, by DNS TXT and HTTPS in parallel.

Both methods start together. A valid TXT answer is used at once; a valid HTTPS answer
waits a moment for DNS, which wins a disagreement; the slower lookup is not awaited, and
the one by HTTPS is given up (requirements 1.11 and 1.12). The result is a claim:
`identity/resolver.py` checks that the account claims the handle too.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Final

from ..errors import (
    AtprotoError,
    ClientBusy,
    DocumentInvalid,
    HandleNotFound,
    HostUnknown,
    HostUnreachable,
    IdentifierInvalid,
    ResponseTooLarge,
)
from ..http.limits import NotWanted, wanted_while
from ..http.turns import waiting
from ..http.types import HTTP, Deadline
from ..http.url_policy import NetworkPolicy
from ..syntax.grammar import Did, Handle, is_handle_resolvable, parse_did
from .did import require_success
from .dns import TxtLookup

LOOKUP_LIMIT: Final = 3.0
"""Seconds for each method (requirement 1.17)."""

TXT_GRACE: Final = 0.3
"""Seconds that a valid HTTPS answer waits for the DNS answer."""

BODY_LIMIT: Final = 10_000
"""Bytes of a well-known answer; a DID has at most 2048 (requirement 1.17)."""

MOST_REDIRECTS: Final = 3
"""Each target passes the same checks as the first URL (requirement 1.16)."""

MOST_LOOKUPS: Final = 128
"""Lookups that run at once in the process; more have to queue (requirement 9.6)."""

TOO_LATE: Final = "its lookup took too long"

LONGEST_TXT_HANDLE: Final = 253 - len("_atproto.")
"""A longer handle leaves no room for the prefix in a DNS name (requirement 1.14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Race:
    handle: Handle
    txt: Future[Did | None]
    https: Future[Did | None]
    is_decided: Event
    budget: Deadline

    def winner(self) -> Did | None:
        """Return the DID to use as soon as it is known (requirement 1.12).

        An HTTPS answer is used when DNS has answered, or TXT_GRACE seconds later.
        """
        both = (self.txt, self.https)
        wait(both, timeout=self._left(), return_when=FIRST_COMPLETED)
        has_answer = _found(self.https) is not None
        wait((self.txt,), timeout=self._left(TXT_GRACE if has_answer else LOOKUP_LIMIT))
        did = _found(self.txt)
        if did is None:
            wait((self.https,), timeout=self._left())
            return _found(self.https)
        self.is_decided.set()
        return did

    def failure(self) -> AtprotoError | None:
        """Return why there is no DID; None when both methods answered "no such handle".

        See requirement 1.18.
        """
        for lookup in (self.https, self.txt):
            if not lookup.done():
                if lookup.cancel():  # it was still waiting for a thread of ours
                    return ClientBusy("handle lookups")
                return HostUnreachable(self.handle, TOO_LATE)
            error = lookup.exception()
            if isinstance(error, AtprotoError):
                return error
            if lookup.result() is not None:  # it has answered since `winner` gave up
                return HostUnreachable(self.handle, TOO_LATE)
        return None

    def _left(self, most: float = LOOKUP_LIMIT) -> float:
        return min(max(self.budget.remaining(), 0.0), most)


def _found(lookup: Future[Did | None]) -> Did | None:
    if not lookup.done():
        return None
    try:
        return lookup.result()
    except AtprotoError:
        return None  # see `failure`; the other method may succeed


class HandleResolver:
    """Resolves handles with a bounded thread pool; use one per process."""

    def __init__(
        self,
        *,
        http: HTTP,
        txt: TxtLookup,
        policy: NetworkPolicy,
        before_host: Callable[[str], None],
    ) -> None:
        """Resolve with `http` and `txt`.

        `before_host` is called with each handle before it is looked up and may refuse
        by raising.
        """
        self._http = http
        self._txt = txt
        self._policy = policy
        self._before_host = before_host
        self._lookups = ThreadPoolExecutor(MOST_LOOKUPS, thread_name_prefix="handle")

    def resolve(self, handle: Handle, *, deadline: Deadline) -> Did:
        """Return the DID that the handle points to.

        Raises:
            HandleNotFound: both methods answered that there is no such handle, or the
                name is reserved and was not looked up (requirements 1.5 and 1.6).
            HostUnreachable: one of them failed (requirement 1.18).
            ClientBusy: too many lookups are under way in this process.
            ServerInvalid: one of them gave an answer that we refuse.
        """
        if not is_handle_resolvable(handle, allow_test=self._policy.allow_test_names):
            raise HandleNotFound(handle)
        self._before_host(handle)
        race = self._start(handle, deadline.within(LOOKUP_LIMIT))
        with waiting():
            did = race.winner()
        if did is None:
            raise race.failure() or HandleNotFound(handle)
        return did

    def _start(self, handle: Handle, budget: Deadline) -> _Race:
        is_decided = Event()
        undecided = partial(self._while_undecided, is_decided)
        return _Race(
            handle=handle,
            txt=self._begin(self._by_txt, handle, budget),
            https=self._begin(undecided, handle, budget),
            is_decided=is_decided,
            budget=budget,
        )

    def _begin(
        self,
        look_up: Callable[[Handle, Deadline], Did | None],
        handle: Handle,
        budget: Deadline,
    ) -> Future[Did | None]:
        """Look up on a thread, in the caller's context, for its log."""
        return self._lookups.submit(copy_context().run, look_up, handle, budget)

    def _while_undecided(
        self, is_decided: Event, handle: Handle, budget: Deadline
    ) -> Did | None:
        """Look up by HTTPS until DNS has answered: a TLS handshake is dear."""
        if is_decided.is_set():
            return None
        try:
            with wanted_while(lambda: not is_decided.is_set()):
                return self._by_https(handle, budget)
        except NotWanted:
            return None

    def _by_txt(self, handle: Handle, budget: Deadline) -> Did | None:
        """Return the DID in the handle's TXT record; None when there is none.

        See requirement 1.13.

        Raises:
            DocumentInvalid: the records name different accounts.
            HostUnreachable: no name server answered.
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
        """Return the DID that the handle's host serves; None when it serves none.

        A page that is not a DID counts as none: many sites answer 200 to everything. A
        status other than 404 and 410 is a failure, because it may come from a firewall
        (requirement 1.15).
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
            if unknown.host != handle:  # another host, reached by a redirect
                raise
            return None
        if response.status in {404, 410}:
            return None
        require_success(response)
        text = response.body.removeprefix(codecs.BOM_UTF8)
        return self._did(text.decode("ascii", "replace").strip())

    def _did(self, text: str) -> Did | None:
        try:
            return parse_did(
                text,
                allow_localhost=self._policy.allow_http,
                allow_test=self._policy.allow_test_names,
            )
        except IdentifierInvalid:
            return None
