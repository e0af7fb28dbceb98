"""Networks: what one subscriber has, and limits are counted by."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

IPV6_PREFIX = 64


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, the /64 of an IPv6 address (requirement 9.6).

    Counting every address of a /64 would count nothing: one line has 2^64 of them.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address  # a unix socket has none
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    # Without its zone, which names an interface of ours and not the subscriber's.
    return str(ip_network((int(ip), IPV6_PREFIX), strict=False))
