"""What the bounds on strangers cost a sign-in: with them and without, by turns.

Without: no rate limits, no concurrency limits, no row bounds, and no limits while
reading answers of other hosts. These stay out of the comparison, because nothing works
without them: time limits, and the limits of documents and scopes.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from app.atproto.http.limits import LimitedReader, Pace
from app.flows.limits.concurrency import ConcurrencyLimit
from app.stores.rates.rate_limits import RateLimits
from app.stores.sql.row_bounds import RowBound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST = 1.03
"""A login with bounds, of one without."""

ROUNDS = 60

BOUNDS = (
    (RateLimits, "hit_all"),
    (RowBound, "after_write"),
    (ConcurrencyLimit, "enter"),
    (ConcurrencyLimit, "leave"),
    (Pace, "count"),
    (LimitedReader, "_count_head"),
)


@contextmanager
def without_bounds() -> Iterator[None]:
    """Take the bounds out while the block runs."""
    with ExitStack() as taken_out:
        for owner, name in BOUNDS:
            taken_out.enter_context(patch.object(owner, name, _nothing))
        yield


def print_bounds(sign_in: Callable[[], float], *, rounds: int = ROUNDS) -> None:
    """Print what the bounds cost; `sign_in` returns the CPU seconds of a sign-in."""
    bounded, free = [], []
    for number in range(rounds):
        pair = (bounded, free) if number % 2 else (free, bounded)
        for spent in pair:
            if spent is bounded:
                spent.append(sign_in())
                continue
            with without_bounds():
                spent.append(sign_in())
    with_them, without = map(_typical, (bounded, free))
    print(f"\nCPU of a sign-in with the bounds on strangers, of {rounds} by turns")
    print(f"{with_them * 1000:.2f} ms, without {without * 1000:.2f} ms:", end=" ")
    print(f"{with_them / without:.3f} (to reach: {MOST})")


def _typical(seconds: list[float]) -> float:
    """Return the mean of the quicker half: the rest was disturbed by other programs."""
    return statistics.fmean(sorted(seconds)[: len(seconds) // 2 or 1])


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""
