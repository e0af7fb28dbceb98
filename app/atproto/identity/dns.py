"""DNS TXT lookups, with the configured name servers or those of the system.

The only module that sends DNS queries itself; host addresses are resolved in
`http/sockets.py`. "There is no such record" and "no name server answered" are two
different results (requirement 1.18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dns.exception import DNSException
from dns.nameserver import Do53Nameserver
from dns.resolver import NXDOMAIN, NoResolverConfiguration, Resolver

from ..errors import HostUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dns.resolver import Answer

DNS_PORT = 53

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
        ...


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
            Do53Nameserver(address, port) for address, port in chances
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
