"""Name lookup and TCP connections: checked addresses, happy eyeballs (RFC 8305).

A host is resolved within a time limit, every address of it is checked, and the
connection goes to one of those very addresses: there is no second resolution that could
answer differently (DNS rebinding, requirement 9.2).
"""

from __future__ import annotations

import ipaddress
import os
import selectors
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import chain, zip_longest
from threading import BoundedSemaphore, Lock, Thread
from typing import Final

from ..errors import ClientBusy
from ..syntax.host_names import is_full_name
from .sockets import BudgetSocket
from .turns import waiting

Resolve = Callable[[str, int], Sequence[str]]
Check = Callable[[str, str], None]

MAX_ADDRESSES: Final = 4
"""Addresses of one host that are tried."""

ATTEMPT_DELAY: Final = 0.25
"""Seconds after which the next address is tried beside the silent ones (RFC 8305)."""

MAX_LOOKUPS: Final = 64
"""Name lookups that may be waiting in this process (requirement 9.6)."""

MAX_REMEMBERED: Final = 1_024
"""Hosts of which the address that worked is remembered."""


class TimedResolver:
    """Runs a lookup that has no time limit of its own, such as getaddrinfo, within one.

    The thread of an abandoned lookup lives until its answer comes; their number is
    limited.
    """

    def __init__(self, resolve: Resolve, *, at_once: int = MAX_LOOKUPS) -> None:
        self._resolve = resolve
        self._slots = BoundedSemaphore(at_once)

    def __call__(self, host: str, port: int, *, timeout: float) -> Sequence[str]:
        """Return the addresses of a host.

        Raises:
            ClientBusy: too many lookups are waiting, or no thread can be started.
            TimeoutError: no answer in time.
            OSError: what the lookup raised, `socket.gaierror` above all.
        """
        if not self._slots.acquire(blocking=False):
            raise ClientBusy("name lookups")
        answer: Future[Sequence[str]] = Future()
        looking = Thread(target=self._look_up, args=(host, port, answer), daemon=True)
        try:
            looking.start()
        except RuntimeError as error:  # the system has no thread for us
            self._slots.release()
            raise ClientBusy("name lookups") from error
        with waiting():
            return answer.result(timeout)

    def _look_up(self, host: str, port: int, answer: Future[Sequence[str]]) -> None:
        try:
            answer.set_result(self._resolve(host, port))
        except Exception as error:  # noqa: BLE001 -- raised again where it is awaited
            answer.set_exception(error)
        finally:
            self._slots.release()


def resolve_by_system(host: str, port: int) -> list[str]:
    """Return the addresses that the operating system knows, in its order of preference.

    The name is looked up as an absolute one: the search list of resolv.conf, in which a
    wildcard may answer for every name, is not used. A hosts file knows no such names.
    """
    return resolve_with_search_list(f"{host}." if is_full_name(host) else host, port)


def resolve_with_search_list(host: str, port: int) -> list[str]:
    """Return the addresses as any program of this machine would get them.

    For test networks, whose names are in /etc/hosts.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Dialer:
    """Opens TCP connections to checked addresses, and to no others."""

    def __init__(self, resolve: Resolve, check: Check) -> None:
        self._lookup = TimedResolver(resolve)
        self._check = check
        self._worked: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def __call__(self, host: str, port: int, timeout: float) -> BudgetSocket:
        """Connect to the first address that answers, the one that last did at first.

        Raises:
            socket.gaierror: the name has no address, or DNS failed.
            UnsafeURL: one of its addresses is not public; nothing was contacted.
            ClientBusy: too many name lookups are waiting.
            OSError: no address answered in time.
        """
        ends = time.monotonic() + timeout
        addresses = self._lookup(host, port, timeout=timeout)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        for address in addresses:  # one private address makes the whole host unsafe
            self._check(address, host)
        race = _Race(self._ordered(host, addresses), port, ends)
        address, sock = race.run()
        self._remember(host, address)
        sock.settimeout(max(ends - time.monotonic(), 0.001))
        return sock

    def _ordered(self, host: str, addresses: Sequence[str]) -> list[str]:
        """Alternate between IPv6 and IPv4 (RFC 8305 section 4)."""
        first_version = ":" in addresses[0]
        same = [one for one in addresses if (":" in one) == first_version]
        other = [one for one in addresses if (":" in one) != first_version]
        mixed = [one for one in chain(*zip_longest(same, other)) if one is not None]
        with self._lock:
            worked = self._worked.get(host)
        if worked in mixed:
            mixed.remove(worked)
            mixed.insert(0, worked)
        return mixed[:MAX_ADDRESSES]

    def _remember(self, host: str, address: str) -> None:
        with self._lock:
            self._worked[host] = address
            self._worked.move_to_end(host)
            if len(self._worked) > MAX_REMEMBERED:
                self._worked.popitem(last=False)


class _Race:
    """Connection attempts to several addresses, each a moment after the one before."""

    def __init__(self, addresses: Iterable[str], port: int, ends: float) -> None:
        self._waiting = deque(addresses)
        self._port = port
        self._ends = ends
        self._pending: dict[BudgetSocket, str] = {}
        self._next_at = 0.0
        self._failure: OSError = TimeoutError("the time is over")

    def run(self) -> tuple[str, BudgetSocket]:
        """Return the first connection and its address; close all others.

        Raises:
            OSError: the failure of the last address, or the time is over.
        """
        winner = None
        with selectors.DefaultSelector() as selector:
            try:
                winner = self._winner(selector)
            finally:
                for sock in self._pending:
                    if winner is None or sock is not winner:
                        sock.close()
        return self._pending[winner], winner

    def _winner(self, selector: selectors.BaseSelector) -> BudgetSocket:
        while self._waiting or self._pending:
            now = time.monotonic()
            if now >= self._ends:
                raise TimeoutError("the time is over")
            if self._waiting and (now >= self._next_at or not self._pending):
                self._start(selector, self._waiting.popleft(), now)
                continue
            until = min(self._ends, self._next_at) if self._waiting else self._ends
            with waiting():
                ready = selector.select(max(until - now, 0.0))
            for key, _ in ready:
                sock: BudgetSocket = key.fileobj  # type: ignore[assignment]
                if self._is_connected(selector, sock):
                    return sock
        raise self._failure

    def _start(
        self, selector: selectors.BaseSelector, address: str, now: float
    ) -> None:
        self._next_at = now + ATTEMPT_DELAY
        is_v6 = ipaddress.ip_address(address).version == 6
        sock = BudgetSocket(socket.AF_INET6 if is_v6 else socket.AF_INET)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            sock.connect((address, self._port))
        except BlockingIOError:
            pass  # under way
        except OSError as error:
            self._failure = error
            sock.close()
            return
        self._pending[sock] = address
        selector.register(sock, selectors.EVENT_WRITE)

    def _is_connected(
        self, selector: selectors.BaseSelector, sock: BudgetSocket
    ) -> bool:
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            return True
        selector.unregister(sock)
        del self._pending[sock]
        sock.close()
        self._failure = OSError(code, os.strerror(code))
        return False
