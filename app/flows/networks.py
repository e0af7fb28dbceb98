"""Networks of client addresses, which rate limits count by (requirement 9.6)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

IPV6_PREFIX = 64


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
    return str(ip_network((int(ip), IPV6_PREFIX), strict=False))
