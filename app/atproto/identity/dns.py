"""TXT records, asked of the configured or the system's name servers.

The one place that speaks DNS itself (addresses of hosts are the door's affair). Tells
"there is no such record" from "nobody could say" (requirement 1.18).
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
"""Seconds that one server gets before the next one is asked: within the three of a
handle's lookup there is room for a server that is down (requirement 1.17)."""


class TxtLookup(Protocol):
    """Looks up TXT records."""

    def __call__(self, name: str, *, timeout: float) -> list[str]:
        """Return each record's text; none when the name or the records do not exist.

        Raises:
            HostUnreachable: no name server could say, or not in time.
        """
        ...


class DnsTxtLookup:
    """Asks name servers over UDP, and over TCP when an answer is cut short.

    A server that fails is asked no more for that name; the next one is (1.18). Where
    there is only one, it gets a second chance.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] | None = None,
        *,
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        """Use these servers (address and port), or else the system's.

        A system without any is no reason to stop: each lookup says that nobody could
        be asked, and handles are still looked up by HTTPS (requirement 1.11).
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
