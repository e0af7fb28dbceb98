r"""The network policy: which URLs and IP addresses this client may contact. No I/O.

A URL is read once, by one strict grammar, and rebuilt from its parts. What URL parsers
disagree about (`https://a\@b`, user-info, white space, decimal or hexadecimal
addresses) is refused (requirement 9.2). Each switch of `NetworkPolicy` is off by
default; a test network on one machine turns them on.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ..errors import UnsafeURL
from ..syntax.grammar import DEFAULT_PORTS
from ..syntax.host_names import NOT_PUBLIC_TLDS, is_documentation_name, is_named_host

LONGEST_URL = 8192

_UNREADABLE = "a URL"
"""The host in messages when there is none: the URL itself must not be logged."""

_CHARACTER = r"[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2}"  # RFC 3986: pchar, slash
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    rf"(?P<path>/(?:{_CHARACTER})*)?(?P<query>\?(?:{_CHARACTER}|\?)*)?"
)
_IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")
_IPV6_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")  # RFC 9637
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class SafeURL:
    """A URL that passed the policy, in parts."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return the host, with the port unless it is the scheme's own."""
        if self.port == DEFAULT_PORTS[self.scheme]:
            return self.host
        return f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Return scheme and authority."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """Return the whole URL, rebuilt: the only spelling that is ever requested."""
        return self.origin + self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """The rules for every outgoing connection; strict unless a switch is on.

    `denied` are networks that are never contacted, such as an operator's own global
    addresses.
    """

    allow_http: bool = False
    allow_private: bool = False
    allow_any_port: bool = False
    allow_test_names: bool = False
    denied: tuple[IPNetwork, ...] = ()
    own_origin: str | None = None
    """The origin of this service: never an issuer, an endpoint or a PDS."""

    @classmethod
    def lab(cls) -> NetworkPolicy:
        """Return the policy of a test network on this machine (LAB_NETWORK)."""
        return cls(
            allow_http=True,
            allow_private=True,
            allow_any_port=True,
            allow_test_names=True,
        )

    def check_url(self, url: str) -> SafeURL:
        """Return the parts of a URL that may be requested.

        Raises:
            UnsafeURL: it is not; the message names the host, never the URL.
        """
        parts = _URL.fullmatch(url) if len(url) <= LONGEST_URL else None
        if parts is None:
            raise UnsafeURL(_UNREADABLE, "it is not a plain absolute URL")
        scheme, host = parts["scheme"].lower(), parts["host"].lower()
        if scheme != "https" and not (scheme == "http" and self.allow_http):
            raise UnsafeURL(host, "only https is allowed")
        self._check_host(host)
        port = int(parts["port"] or DEFAULT_PORTS[scheme])
        self._check_port(host, port, DEFAULT_PORTS[scheme])
        target = (parts["path"] or "/") + (parts["query"] or "")
        checked = SafeURL(scheme, host, port, target)
        if checked.origin == self.own_origin:
            raise UnsafeURL(host, "it is this service itself")
        return checked

    def check_address(self, address: str, *, host: str = "") -> None:
        """Accept global unicast addresses, and private ones if they are allowed.

        An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) counts as what it is.

        Raises:
            UnsafeURL: connecting there is refused.
        """
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            raise UnsafeURL(host or address, "its address is unreadable") from None
        if any(one in network for network in self.denied for one in (ip, plain(ip))):
            raise UnsafeURL(host or address, f"its address {ip} is denied here")
        if not self.allow_private and not is_public(ip):
            raise UnsafeURL(host or address, f"its address {ip} is not public")

    def _check_host(self, host: str) -> None:
        if _is_address(host):
            if not self.allow_private:
                raise UnsafeURL(host, "an address instead of a name")
            return
        labels = host.split(".")
        if not is_named_host(host):
            raise UnsafeURL(host, "it is not a host name")
        if self.allow_test_names:
            return
        if len(labels) < 2 or labels[-1] in NOT_PUBLIC_TLDS:
            raise UnsafeURL(host, "it is not a public name")
        if is_documentation_name(host):
            raise UnsafeURL(host, "it is a name for documentation")

    def _check_port(self, host: str, port: int, default: int) -> None:
        if not 0 < port < 65536:
            raise UnsafeURL(host, "there is no such port")
        if port != default and not self.allow_any_port:
            raise UnsafeURL(host, f"port {port} instead of {default}")


def is_public(ip: IPAddress) -> bool:
    """Tell whether an address is global unicast, after unwrapping it.

    Of IPv6 only 2000::/3 is in public use, and NAT64 with a public address inside.
    """
    inner = plain(ip)
    if isinstance(inner, ipaddress.IPv6Address) and (
        inner not in _IPV6_UNICAST
        or inner in _IPV6_DOCUMENTATION
        or inner.scope_id is not None
    ):
        return False
    return inner.is_global and not inner.is_multicast


def plain(ip: IPAddress) -> IPAddress:
    """Return the IPv4 address inside an IPv6 one, or the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 and ip.scope_id is None:
        return ipaddress.IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour or ip


def _is_address(host: str) -> bool:
    try:
        ip = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return host.startswith("[") == (ip.version == 6)
