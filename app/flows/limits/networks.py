"""Networks of client addresses, which rate limits count by (requirement 9.6)."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address, ip_network
from typing import Final

from app.flows.ports import LimitKind, RateLimit

IPV6_WIDTHS: Final = {64: 1, 56: 2, 48: 4}
"""IPv6 prefixes that are counted, and how many times the limit each one has. Providers
give subscribers a /64, a /56 or a /48, so a /64 alone limits few of them."""


def network_of(address: str) -> str:
    """Return the IPv4 address itself, or the /64 of an IPv6 address.

    One subscriber has a whole /64, so single IPv6 addresses would not be limited.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address  # a unix socket has no address
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    # Without the zone, which names an interface of this machine.
    return str(ip_network((int(ip), 64), strict=False))


def widths_of(network: str) -> list[tuple[str, float]]:
    """Return the networks to count a `network_of` in, and the multiple of each."""
    if not network.endswith("/64"):
        return [(network, 1)]
    narrow = IPv6Network(network)
    return [
        (str(narrow.supernet(new_prefix=width)), times)
        for width, times in IPV6_WIDTHS.items()
    ]


def widest_of(network: str) -> str:
    """Return the widest network that is counted: the address, or the /48."""
    return widths_of(network)[-1][0]


def hit_networks(limits: RateLimit, kind: LimitKind, network: str) -> None:
    """Count one call of a network at each of its widths.

    Raises:
        TooManyRequests: the limit of one of them is reached.
    """
    limits.hit_all(kind, widths_of(network))
