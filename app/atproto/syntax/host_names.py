"""The grammar of host names, and the reserved ones (RFC 1123, RFC 2606, RFC 6761).

Handles, did:web, server origins, outgoing URLs, client ids and the settings all use
these functions. Pure; whether an address is public, `http/url_policy.py` decides.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import Final

import idna

MAX_NAME: Final = 253

LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
"""One label of a host name, for regular expressions."""

RESERVED_TLDS: Final = frozenset(
    {
        "alt",
        "arpa",
        "example",
        "internal",
        "invalid",
        "local",
        "localhost",
        "onion",
    }
)
"""Top-level domains in which no handle and no did:web can live (requirement 1.5)."""

NOT_PUBLIC_TLDS: Final = RESERVED_TLDS | {"test"}
"""Top-level domains that no public host has (requirements 1.5 and 9.2)."""

DOCUMENTATION_DOMAINS: Final = frozenset({"example.com", "example.net", "example.org"})

NOT_FETCHED_TLDS: Final = frozenset(
    {"example", "invalid", "local", "localhost", "test"}
)
NOT_FETCHED_DOMAINS: Final = DOCUMENTATION_DOMAINS | {"googleusercontent.com"}
"""Domains below which no server fetches client metadata (requirement 3.2)."""

_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{LABEL}\.)*{LABEL}")


def is_host_name(text: str) -> bool:
    """Tell whether this is a host name; a single word and 127.1 are, too."""
    return _HOST_NAME.fullmatch(text) is not None


def is_named_host(text: str) -> bool:
    """Tell whether this is a host name whose last label begins with a letter.

    No spelling of an IPv4 address does: decimal, octal, hexadecimal or shortened.
    """
    return is_host_name(text) and text.rpartition(".")[2][0].isalpha()


def is_full_name(text: str) -> bool:
    """Tell whether this is a named host of two labels or more: a handle's grammar."""
    return "." in text and is_named_host(text)


def to_ascii(name: str) -> str:
    """Return an internationalised name in its ASCII form, `xn--...` (RFC 5891, UTS 46).

    Raises:
        ValueError: there is none.
    """
    if name.isascii():
        return name
    if len(name) > MAX_NAME:
        raise ValueError("too long for a host name")
    return idna.encode(name, uts46=True, std3_rules=True).decode()


def is_ip_address(text: str) -> bool:
    """Tell whether this is an IP address without brackets and without a zone."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (isinstance(address, IPv6Address) and address.scope_id)


def is_documentation_name(host: str) -> bool:
    """Tell whether a name is below example.com, .net or .org, or one of them."""
    return _domain(host) in DOCUMENTATION_DOMAINS


def is_fetched_by_servers(host: str) -> bool:
    """Tell whether servers fetch client metadata from a host (requirement 3.2)."""
    tld = host.rpartition(".")[2]
    return tld not in NOT_FETCHED_TLDS and _domain(host) not in NOT_FETCHED_DOMAINS


def _domain(host: str) -> str:
    return ".".join(host.rsplit(".", 2)[-2:])
