"""TCP connections to checked addresses, and time limits that hold.

A host is resolved within a time limit, every address of it is checked, and the
connection goes to one of those very addresses: there is no second resolution to cheat
with (DNS rebinding, requirement 9.2). The socket's time limit covers everything that
follows instead of each pause (requirement 9.3).
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any

from ..errors import HostUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Resolve = Callable[[str, int], Sequence[str]]
    Check = Callable[[str, str], None]

WIRE_CEILING = 4_000_000
"""Bytes of one answer on the wire, headers and framing included. Bodies have their own,
smaller caps; this one ends what no cap above can see, such as endless trailers."""

_ceiling = ContextVar("ceiling", default=WIRE_CEILING)

MOST_ADDRESSES = 4
"""Addresses of one host that are tried in turn."""

LOOKUPS_AT_ONCE = 64
"""Name lookups that may be waiting in this process (requirement 9.6)."""

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class CeilingReached(Exception):
    """The answer is longer on the wire than any answer may be."""


@contextmanager
def longest_answer(limit: int) -> Iterator[None]:
    """Raise the ceiling, within the context, for an answer with a longer body.

    Twice its length: a host that sends tiny chunks frames them amply. A context
    variable, because urllib3 hands nothing but seconds down to a socket.
    """
    before = _ceiling.set(max(WIRE_CEILING, 2 * limit))
    try:
        yield
    finally:
        _ceiling.reset(before)


class BudgetSocket(socket.socket):
    """A TCP socket whose timeout is a budget for all that follows, not for each wait.

    `settimeout(5)` grants five seconds, and the bytes of an answer (`WIRE_CEILING`, or
    `longest_answer`), until it is called again.
    An ordinary timeout begins anew with every byte, so that a host which drips headers
    or a TLS handshake is never too slow. urllib3 sets the timeout once per phase:
    connecting, sending, and the answer from its first header to its last byte.
    """

    _ends = 0.0
    _bytes_left = 0

    def settimeout(self, value: float | None, /) -> None:
        """Grant so many seconds from now; no limit is no budget at all."""
        self._ends = time.monotonic() + (value or 0.0)
        self._bytes_left = _ceiling.get()
        super().settimeout(value)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive within the budget."""
        self._wait_no_longer()
        received = super().recv(bufsize, flags)
        self._count(len(received))
        return received

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive within the budget."""
        self._wait_no_longer()
        received = super().recv_into(buffer, nbytes, flags)
        self._count(received)
        return received

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send within the budget."""
        self._wait_no_longer()
        super().sendall(data, flags)

    def _wait_no_longer(self) -> None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        super().settimeout(left)

    def _count(self, received: int) -> None:
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise CeilingReached


class TimedResolver:
    """Runs a lookup with no time limit of its own, such as getaddrinfo, within one.

    The thread of a lookup that is given up lives until its answer comes; the number of
    those threads is bounded.
    """

    def __init__(self, resolve: Resolve, *, at_once: int = LOOKUPS_AT_ONCE) -> None:
        self._resolve = resolve
        self._slots = BoundedSemaphore(at_once)

    def __call__(self, host: str, port: int, *, timeout: float) -> Sequence[str]:
        """Return the addresses of a host.

        Raises:
            TimeoutError: no answer in time, or too many lookups are waiting.
            OSError: what the lookup raised, `socket.gaierror` above all.
        """
        if not self._slots.acquire(blocking=False):
            raise TimeoutError("too many name lookups are waiting")
        answer: Future[Sequence[str]] = Future()
        Thread(target=self._look_up, args=(host, port, answer), daemon=True).start()
        return answer.result(timeout)

    def _look_up(self, host: str, port: int, answer: Future[Sequence[str]]) -> None:
        try:
            answer.set_result(self._resolve(host, port))
        except Exception as error:  # noqa: BLE001 -- raised again where it is awaited
            answer.set_exception(error)
        finally:
            self._slots.release()


def resolve_by_system(host: str, port: int) -> list[str]:
    """Return the addresses the operating system knows, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Dialer:
    """Opens TCP connections to checked addresses, and to no others."""

    def __init__(self, resolve: Resolve, check: Check) -> None:
        self._lookup = TimedResolver(resolve)
        self._check = check

    def __call__(self, host: str, port: int, timeout: float) -> BudgetSocket:
        """Connect to the first address that answers; what is left of the time stays.

        Raises:
            HostUnknown: the name has no address.
            UnsafeURL: one of its addresses is not public; nothing was contacted.
            OSError: no address answered in time.
        """
        ends = time.monotonic() + timeout
        failure: OSError = TimeoutError("the time is over")
        addresses = self._addresses(host, port, timeout)[:MOST_ADDRESSES]
        for position, address in enumerate(addresses):
            left = max(ends - time.monotonic(), 0.001)
            try:
                sock = _connect(address, port, left / (len(addresses) - position))
            except OSError as error:
                failure = error
            else:
                sock.settimeout(max(ends - time.monotonic(), 0.001))
                return sock
        raise failure

    def _addresses(self, host: str, port: int, timeout: float) -> Sequence[str]:
        try:
            addresses = self._lookup(host, port, timeout=timeout)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                raise HostUnknown(host) from error
            raise
        if not addresses:
            raise HostUnknown(host)
        for address in addresses:  # all of them: one private address spoils the host
            self._check(address, host)
        return addresses


def _connect(address: str, port: int, timeout: float) -> BudgetSocket:
    is_v6 = ipaddress.ip_address(address).version == 6
    sock = BudgetSocket(socket.AF_INET6 if is_v6 else socket.AF_INET)
    try:
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def explain(error: OSError) -> str:
    """Return why there is no connection, in words fit for a log."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', None) or error.strerror}"
    if isinstance(error, socket.gaierror):
        return "DNS failed"
    return (error.strerror or type(error).__name__).lower()
