"""People who use the platform without a pause while something happens to it."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import requests

from tests.e2e.visitor import PLATFORM_TOKEN, Visitor
from tests.lab.network import Account

THREADS = 4
PAUSE = 0.02
OUTAGE: Final = frozenset({"502", "503", "504"})
"""What a person may see while a node or the database is away."""

GOOD: Final = frozenset({"200", "204", "303"})
BROKEN: Final = "broken"
"""An answer that ended in its middle: its node was killed."""

Ask = Callable[..., requests.Response]


@dataclass(frozen=True)
class Person:
    """One who is signed in: the account, the browser, and its cookies."""

    account: Account
    visitor: Visitor
    cookies: Mapping[str, str]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.cookies[PLATFORM_TOKEN]}"}


class Crowd:
    """Threads that ask until the block ends; `seen` counts what was answered."""

    def __init__(self, ask: Ask, people: Sequence[Person]) -> None:
        self._ask = ask
        self.people = people
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._use, args=(number,))
            for number in range(THREADS)
        ]
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, answers: int) -> None:
        """Return when so many further requests were answered."""
        goal = self.seen.total() + answers
        while self.seen.total() < goal:
            time.sleep(PAUSE)

    def unexpected(self, meanwhile: Collection[str]) -> Counter[str]:
        """Return what was answered that is neither good nor one of these."""
        fine = {*GOOD, *meanwhile}
        return Counter(
            {
                what: times
                for what, times in self.seen.items()
                if what.split()[1] not in fine or "no Retry-After" in what
            }
        )

    def _use(self, number: int) -> None:
        for turn in itertools.count(number):
            if self._ended.is_set():
                return
            person = self.people[turn % len(self.people)]
            name, options = self._action(turn, person)
            outcome = self._outcome(**options)
            with self._lock:
                self.seen[f"{name} {outcome}"] += 1
            time.sleep(PAUSE)

    def _outcome(self, **options: Any) -> str:
        try:
            answer = self._ask(**options)
        except requests.RequestException:
            return BROKEN
        if answer.status_code == 503 and "Retry-After" not in answer.headers:
            return "503 no Retry-After"
        return str(answer.status_code)

    def _action(self, turn: int, person: Person) -> tuple[str, dict[str, Any]]:
        cookies = {"cookies": person.cookies}
        if turn % 23 == 0:
            form = {"data": {"identifier": person.account.handle}, "method": "POST"}
            origin = {"headers": {"Sec-Fetch-Site": "same-origin"}}
            return "begin", {"path": "/auth/login", **form, **origin}
        if turn % 7 == 0:
            path = "/auth/xrpc/com.atproto.server.getSession"
            return "call", {"path": path, "headers": person.bearer}
        if turn % 3 == 0:
            return "session", {"path": "/auth/session", **cookies}
        if turn % 3 == 1:
            return "keys", {"path": "/.well-known/jwks.json"}
        return "verify", {"path": "/auth/verify", **cookies}
