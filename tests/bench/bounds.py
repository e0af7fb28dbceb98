"""What each bound on strangers costs a sign-in: with it and without, by turns.

Without: no rate limits, no concurrency limits, no row bounds, and no limits while
reading answers of other hosts. These stay out of the comparison, because nothing works
without them: time limits, and the limits of documents and scopes.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING
from unittest.mock import patch

from app.atproto.http.limits import LimitedReader, Pace
from app.flows.limits.concurrency import ConcurrencyLimit
from app.stores.rates.rate_limits import RateLimits
from app.stores.sql.row_bounds import RowBound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST = 1.03
"""A login with a bound, of one without it."""

ROUNDS = 60

Method = tuple[type, str]

BOUNDS: dict[str, tuple[Method, ...]] = {
    "rate limits": ((RateLimits, "hit_all"),),
    "rows": ((RowBound, "after_write"),),
    "logins at once": ((ConcurrencyLimit, "enter"), (ConcurrencyLimit, "leave")),
    "answers of hosts": ((Pace, "count"), (LimitedReader, "_count_head")),
}
TOGETHER = "all of them"


@contextmanager
def without(*bounds: str) -> Iterator[None]:
    """Take bounds out while the block runs."""
    with ExitStack() as taken_out:
        for owner, name in chain.from_iterable(map(BOUNDS.__getitem__, bounds)):
            taken_out.enter_context(patch.object(owner, name, _nothing))
        yield


def print_bounds(sign_in: Callable[[], float], *, rounds: int = ROUNDS) -> None:
    """Print what each bound costs; `sign_in` returns the CPU seconds of a sign-in."""
    left_out = {"": (), **{name: (name,) for name in BOUNDS}, TOGETHER: tuple(BOUNDS)}
    spent: dict[str, list[float]] = {name: [] for name in left_out}
    for number in range(rounds):
        for name in _turned(list(left_out), number):
            with without(*left_out[name]):
                spent[name].append(sign_in())
    whole = _typical(spent.pop(""))
    print(f"\nCPU of a sign-in with a bound on strangers, of {rounds} by turns without")
    for name, seconds in spent.items():
        print(f"  {name:<20}{whole / _typical(seconds):>6.3f}")
    print(f"{whole * 1000:.2f} ms with all; to reach, for each: {MOST}")


def _turned(names: list[str], number: int) -> list[str]:
    """Begin with another one in each round: the first finds other things cached."""
    first = number % len(names)
    return names[first:] + names[:first]


def _typical(seconds: list[float]) -> float:
    """Return the mean of the quicker half: the rest was disturbed by other programs."""
    return statistics.fmean(sorted(seconds)[: len(seconds) // 2 or 1])


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""
