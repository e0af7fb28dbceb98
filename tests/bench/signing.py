"""What one sign-in costs, cold and warm, against hosts that answer late.

Every figure is a median of this run with its spread. CPU time is that of the measuring
process alone; the hosts live in another. Compared with the reference client for Node
when it is installed (`npm ci` in tests/bench), in the same run and on the same hosts.

Service, library and reference client sign in by turns, each a new person with the same
hosts, after the same warm-up. The service gets a ready WSGI environ and the answer's
chunks are thrown away: what a WSGI server and a browser do is not measured, as the
reference client has neither. Node compiles what it runs often, so that it takes half as
long after some hundred sign-ins: `repetitions` decides the ratio as well.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from .bounds import print_bounds
from .client import Cost, Latchkey, Library, Spent, identifiers
from .hosts import Hosts, open_hosts
from .peer import open_peer

SignIn = Callable[[str, Callable[[str], str]], Spent]

REQUEST_DELAY = 0.05
REPETITIONS = 15
TARGET = 0.45
"""Of the reference client's CPU, for login and callback of a new person."""

WARM_UP = 3
"""Sign-ins of each kind before those that count."""

PEER = "the reference client for Node"


def measure_signing(
    *, repetitions: int = REPETITIONS, request: float = REQUEST_DELAY
) -> None:
    """Print what each step of a sign-in costs; hosts answer `request` seconds late."""
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        directory = Path(name)
        metadata = Latchkey(directory).metadata()
        with (
            open_hosts(directory, metadata) as hosts,
            closing(Latchkey(directory, hosts.opened)) as latchkey,
        ):
            _measure(latchkey, hosts, repetitions=repetitions, request=request)


def _measure(
    latchkey: Latchkey, hosts: Hosts, *, repetitions: int, request: float
) -> None:
    delay = f"{request * 1000:.0f} ms for each request"
    print(f"One sign-in, {delay}, medians of {repetitions} (spread)\n")
    hosts("pace", request=request, connection=0.0)
    _print_steps(latchkey, hosts, repetitions=repetitions)
    connection = 2 * request
    hosts("pace", request=request, connection=connection)
    print(f"\nwith {connection * 1000:.0f} ms more for each new connection")
    _print_steps(latchkey, hosts, repetitions=-(-repetitions // 3))
    hosts("pace", request=request, connection=0.0)
    _compare(latchkey, hosts, repetitions=repetitions)
    hosts("pace", request=0.0, connection=0.0)
    print_bounds(partial(_cpu_of_one, latchkey, hosts), rounds=4 * repetitions)


def _print_steps(latchkey: Latchkey, hosts: Hosts, *, repetitions: int) -> None:
    """Print what each kind of sign-in costs."""
    print(f"{'step':<44}{'requests':>9}{'hops':>6}{'ms':>16}{'CPU ms':>16}")
    for by in ("txt", "https"):
        costs = [
            _sign_in(latchkey, hosts, by=by, cold=True) for _ in range(repetitions)
        ]
        _print(f"login, nothing known, handle by {by.upper()}", [a for a, _ in costs])
    costs = [
        _sign_in(latchkey, hosts, by="txt", host="garden", cold=True)
        for _ in range(repetitions)
    ]
    _print("login, nothing known, the PDS authorizes", [a for a, _ in costs])
    new = [_sign_in(latchkey, hosts, by="txt") for _ in range(repetitions)]
    _print("login, new person on a known server", [login for login, _ in new])
    _print("callback", [callback for _, callback in new])
    again = [
        _sign_in(latchkey, hosts, by="txt", known=True) for _ in range(repetitions)
    ]
    _print("login again within five minutes", [login for login, _ in again])


NAMES = identifiers("person")


def _sign_in(
    latchkey: Latchkey,
    hosts: Hosts,
    *,
    by: str,
    host: str = "skyhost",
    cold: bool = False,
    known: bool = False,
) -> tuple[Cost, Cost]:
    """Sign in a new person, or the same person for the second time when `known`."""
    handle = next(NAMES)
    hosts("settle", handle=handle, by=by, host=host)
    if cold:
        latchkey.forget_everything()
    if known:
        latchkey.login(latchkey.browser(), handle)
    browser = latchkey.browser()
    login, location = latchkey.login(browser, handle)
    back = hosts("approve", url=location)
    callback, _ = latchkey.callback(browser, back)
    return login, callback


def _print(step: str, costs: list[Cost]) -> None:
    requests = statistics.median(cost.requests for cost in costs)
    hops = statistics.median(cost.hops for cost in costs)
    print(
        f"{step:<44}{requests:>9.0f}{hops:>6.0f}"
        f"{_median([cost.seconds for cost in costs]):>16}"
        f"{_median([cost.cpu for cost in costs]):>16}"
    )


def _median(seconds: list[float]) -> str:
    low, high = min(seconds) * 1000, max(seconds) * 1000
    return f"{statistics.median(seconds) * 1000:.1f} ({low:.0f}-{high:.0f})"


def _compare(latchkey: Latchkey, hosts: Hosts, *, repetitions: int) -> None:
    """Print the CPU time of a new person's sign-in beside the reference client's.

    All of them sign in by turns, so that what else the machine does falls on all.
    """
    approve = partial(_approve, hosts)
    with open_peer(hosts.opened, latchkey.identity()) as peer:
        kinds: dict[str, SignIn] = {
            "the service: pages, cookies, sealed rows": latchkey.sign_in,
            "the library alone": Library(latchkey).sign_in,
        }
        if peer is not None:
            kinds[PEER] = peer.sign_in
        spent: dict[str, list[Spent]] = {name: [] for name in kinds}
        for _ in range(WARM_UP + repetitions):
            for name, sign_in in kinds.items():
                handle = next(NAMES)
                hosts("settle", handle=handle, by="txt")
                spent[name].append(sign_in(handle, approve))
    _print_comparison({name: costs[WARM_UP:] for name, costs in spent.items()})


def _cpu_of_one(latchkey: Latchkey, hosts: Hosts) -> float:
    handle = next(NAMES)
    hosts("settle", handle=handle, by="txt")
    return latchkey.sign_in(handle, partial(_approve, hosts)).both


def _print_comparison(spent: dict[str, list[Spent]]) -> None:
    print("\nCPU ms of a sign-in, new person on a known server, median (spread)\n")
    print(f"{'':<40}{'login':>16}{'callback':>16}{'both':>16}{'of Node':>9}")
    for name, costs in spent.items():
        _print_spent(name, costs, spent.get(PEER))
    if PEER in spent:
        print(f"to reach: {TARGET} of the reference client's, by the service")
    else:
        print("no comparison: `npm ci` in tests/bench installs the reference client")


def _print_spent(name: str, spent: list[Spent], peer: list[Spent] | None) -> None:
    """Print a line of the comparison."""
    login, callback, both = (
        _median([getattr(one, part) for one in spent])
        for part in ("login", "callback", "both")
    )
    ratio = "" if peer is None else f"{_both(spent) / _both(peer):.2f}"
    print(f"{name:<40}{login:>16}{callback:>16}{both:>16}{ratio:>9}")


def _both(spent: list[Spent]) -> float:
    return statistics.median(one.both for one in spent)


def _approve(hosts: Hosts, url: str) -> str:
    return hosts("approve", url=url)
