"""What one sign-in costs, cold and warm, against hosts that answer late.

Every figure is a median of this run with its spread. CPU time is that of the measuring
process alone; the hosts live in another. Compared with the reference client for Node
when it is installed (`npm ci` in tests/bench), in the same run and on the same hosts.
"""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path

from .client import Cost, Latchkey, Library, identifiers
from .hosts import Hosts, open_hosts
from .peer import run_peer

REQUEST_DELAY = 0.05
CONNECTION_DELAY = 0.1
REPETITIONS = 15
TARGET = 0.5


def measure_signing() -> None:
    """Print what each step of a sign-in costs."""
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        directory = Path(name)
        metadata = Latchkey(directory).metadata()
        with open_hosts(directory, metadata) as hosts:
            _measure(directory, hosts)


def _measure(directory: Path, hosts: Hosts) -> None:
    latchkey = Latchkey(directory, hosts.opened)
    delay = f"{REQUEST_DELAY * 1000:.0f} ms for each request"
    print(f"One sign-in, {delay}, medians of {REPETITIONS} (spread)\n")
    hosts("pace", request=REQUEST_DELAY, connection=0.0)
    cpu = _print_steps(latchkey, hosts)
    hosts("pace", request=REQUEST_DELAY, connection=CONNECTION_DELAY)
    print(f"\nwith {CONNECTION_DELAY * 1000:.0f} ms more for each new connection")
    _print_steps(latchkey, hosts, repetitions=5)
    hosts("pace", request=REQUEST_DELAY, connection=0.0)
    _compare(hosts, cpu, latchkey)


def _print_steps(
    latchkey: Latchkey, hosts: Hosts, *, repetitions: int = REPETITIONS
) -> float:
    """Print what each kind of sign-in costs; return the CPU time of a new person's."""
    print(f"{'step':<44}{'requests':>9}{'hops':>6}{'ms':>16}{'CPU ms':>16}")
    for by in ("txt", "https"):
        costs = [
            _sign_in(latchkey, hosts, by=by, cold=True) for _ in range(repetitions)
        ]
        _print(f"login, nothing known, handle by {by.upper()}", [a for a, _ in costs])
    new = [_sign_in(latchkey, hosts, by="txt") for _ in range(repetitions)]
    _print("login, new person on a known server", [login for login, _ in new])
    _print("callback", [callback for _, callback in new])
    again = [
        _sign_in(latchkey, hosts, by="txt", known=True) for _ in range(repetitions)
    ]
    _print("login again within five minutes", [login for login, _ in again])
    return statistics.median(login.cpu + back.cpu for login, back in new)


NAMES = identifiers("person")


def _sign_in(
    latchkey: Latchkey,
    hosts: Hosts,
    *,
    by: str,
    cold: bool = False,
    known: bool = False,
) -> tuple[Cost, Cost]:
    """Sign somebody in whom nobody knows, or for the second time when `known`."""
    handle = next(NAMES)
    hosts("settle", handle=handle, by=by)
    if cold:
        latchkey.forget_everything()
    if known:
        latchkey.login(latchkey.app.test_client(), handle)
    browser = latchkey.app.test_client()
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


def _compare(hosts: Hosts, service: float, latchkey: Latchkey) -> None:
    """Print the CPU time of a new person's sign-in beside the reference client's."""
    library = Library(latchkey)
    approve = partial(_approve, hosts)
    alone = [library.sign_in(handle, approve) for handle in _settled(hosts)]
    print("\nCPU of login and callback, new person on a known server")
    print(f"{'the service: pages, cookies, sealed rows':<50}{service * 1000:.1f} ms")
    ours = statistics.median(alone[1:])
    print(f"{'the library alone':<50}{_median(alone[1:])} ms")
    peer = run_peer(hosts, _settled(hosts), latchkey.identity())
    if peer is None:
        print("no comparison: `npm ci` in tests/bench installs the reference client")
        return
    print(f"{'the reference client for Node':<50}{peer * 1000:.1f} ms")
    print(f"the library is {ours / peer:.2f} of it, the service {service / peer:.2f}")
    print(f"to reach: {TARGET} of the reference client's")


def _approve(hosts: Hosts, url: str) -> str:
    return hosts("approve", url=url)


def _settled(hosts: Hosts) -> list[str]:
    """Return handles of people who have never signed in."""
    handles = [next(NAMES) for _ in range(REPETITIONS)]
    for handle in handles:
        hosts("settle", handle=handle, by="txt")
    return handles
