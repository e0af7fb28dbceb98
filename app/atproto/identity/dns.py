"""DNS TXT lookups, with the configured name servers or those of the system.

The only module that sends DNS queries itself; host addresses are resolved in
`http/sockets.py`. "There is no such record" and "no name server answered" are two
different results (requirement 1.18).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Protocol

from dns.exception import DNSException
from dns.message import Message, QueryMessage
from dns.nameserver import Do53Nameserver
from dns.query import tcp
from dns.resolver import NXDOMAIN, Answer, NoResolverConfiguration, Resolver

from ..errors import HostUnreachable

DNS_PORT = 53

MAX_MESSAGE = 8_192
"""Bytes of an answer; a DID has 2048. Parsing 64 KB of records takes 0.2 s of CPU."""

PER_SERVER = 1.0
"""Seconds for one server before the next one is asked. A handle lookup has three
seconds, so one server may be down (requirement 1.17)."""


class TxtLookup(Protocol):
    """Looks up TXT records."""

    def __call__(self, name: str, *, timeout: float) -> list[str]:
        """Return each record's text; none when the name or the records do not exist.

        Raises:
            HostUnreachable: no name server answered in time.
        """


class DnsTxtLookup:
    """Asks name servers over UDP, and over TCP when an answer is truncated.

    After a failure the next server is asked (requirement 1.18). Where there is only
    one, it is asked twice.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] | None = None,
        *,
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        """Use these servers (address and port), or else the system's.

        A system may have none: then each lookup raises HostUnreachable, and handles
        are still resolved by HTTPS (requirement 1.11).
        """
        self._resolver = Resolver(configure=False)
        self._resolver.timeout = PER_SERVER
        servers = nameservers or _system_servers(resolv_conf)
        chances = [*servers, *servers] if len(servers) == 1 else servers
        self._resolver.nameservers = [
            _NameServer(address, port) for address, port in chances
        ]

    def __call__(self, name: str, *, timeout: float) -> list[str]:
        """Return the text of each TXT record of a name, as `TxtLookup` says."""
        try:
            answer = self._resolver.resolve(
                name + ".",  # absolute: no search domain of this machine is tried
                "TXT",
                lifetime=max(timeout, 0.0),
                raise_on_no_answer=False,
            )
        except NXDOMAIN:
            return []
        except DNSException as error:
            reason = f"DNS did not say ({type(error).__name__})"
            raise HostUnreachable(name, reason) from error
        return _texts(answer)


class _NameServer(Do53Nameserver):
    """A name server whose answers over TCP are bounded; over UDP they are small."""

    def query(
        self, request: QueryMessage, timeout: float, *args: Any, **options: Any
    ) -> Message:
        """Send one query, over TCP after a truncated answer (`max_size`)."""
        if not options["max_size"]:
            return super().query(request, timeout, *args, **options)
        address = self.address, self.port
        with socket.create_connection(address, timeout=timeout) as connection:
            connection.setblocking(False)
            bounded = _BoundedConnection(connection)
            return tcp(request, self.address, timeout=timeout, sock=bounded)


class _BoundedConnection:
    """A socket that refuses to read more than MAX_MESSAGE bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def recv(self, size: int) -> bytes:
        """Read, unless the message announced its size as too long."""
        if size > MAX_MESSAGE:
            raise OSError(f"an answer of {size} bytes is too long")
        return self._connection.recv(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _system_servers(resolv_conf: str) -> list[tuple[str, int]]:
    try:
        configured = Resolver(resolv_conf)
    except NoResolverConfiguration:
        return []
    return [(str(server), DNS_PORT) for server in configured.nameservers]


def _texts(answer: Answer) -> list[str]:
    """Join the strings of each record with nothing between them (requirement 1.13).

    From the strings themselves: their presentation form has quotes and spaces.
    """
    return [
        b"".join(record.strings).decode("ascii", "replace")
        for record in answer.rrset or ()
    ]
