"""Parsers of origins, hosts, networks and listening addresses; public suffixes.

Pure and offline: the public-suffix list is the copy inside its package. Implements
requirements 3.1 and 3.2 for PUBLIC_URL. Each parser raises ValueError with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from app.atproto.errors import IdentifierInvalid
from app.atproto.syntax.grammar import Origin, host_of, parse_origin
from app.atproto.syntax.host_names import (
    NOT_FETCHED_DOMAINS,
    NOT_FETCHED_TLDS,
    is_fetched_by_servers,
    is_full_name,
    is_host_name,
    is_ip_address,
)

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1"})

_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_PORT = re.compile(r"[0-9]{1,5}")


class Address(NamedTuple):
    """A host and a port, as sockets take them."""

    host: str
    port: int

    def __str__(self) -> str:
        return (
            f"[{self.host}]:{self.port}"
            if ":" in self.host
            else f"{self.host}:{self.port}"
        )


def origin(text: str) -> Origin:
    """Return an origin; `rules` decides about plain http and ports."""
    try:
        return parse_origin(text, allow_http=True)
    except IdentifierInvalid as error:
        hint = f"; write https://{text}" if is_full_name(text) else ""
        raise ValueError(f"{text!r}: {error}{hint}") from error


def public_origin(text: str) -> Origin:
    """Return our own origin: http on loopback, or https with a public name."""
    parsed = origin(text)
    host = host_of(parsed)
    if parsed.startswith("http://"):
        if host not in LOOPBACK_HOSTS:
            # Requirement 3.28: the literals, never the name localhost.
            raise ValueError(
                f"{text!r} must be https; only http://127.0.0.1:PORT and "
                "http://[::1]:PORT, for development, go without"
            )
        return parsed
    if urlsplit(parsed).port is not None:
        raise ValueError(f"{text!r} must not have a port: a client_id has none")
    _refuse_unreachable(host)
    return parsed


def _refuse_unreachable(host: str) -> None:
    """Refuse a host where no server looks for client metadata (requirement 3.2)."""
    labels = host.split(".")
    if ":" in host or labels[-1].isdecimal():
        raise ValueError(f"{host} is an address; a name is needed")
    if len(labels) < 2:
        raise ValueError(f"{host} is a single word; servers look for a full name")
    if not is_fetched_by_servers(host):
        domains = ", ".join(sorted(NOT_FETCHED_DOMAINS))
        tlds = ", ".join(f".{tld}" for tld in sorted(NOT_FETCHED_TLDS))
        raise ValueError(
            f"{host} is a name that servers refuse: they fetch no client metadata from "
            f"{domains} and {tlds}"
        )


def host(text: str) -> str:
    """Return a host name or address in lower case."""
    folded = text.lower()
    if "/" in text or "*" in text:
        raise ValueError(f"{text!r} must be a host alone, such as app.platform.org")
    if not is_host_name(folded) and not is_ip_address(folded):
        raise ValueError(
            f"{text!r} is no host name; write an international one as xn--"
        )
    return folded


def host_pattern(text: str) -> str:
    """Return a host, or `*.` and a domain below which all hosts are one owner's."""
    if not text.startswith("*."):
        return host(text)
    named = host(text.removeprefix("*."))
    if is_ip_address(named) or is_public_suffix(named):
        raise ValueError(f"strangers have hosts below {named}")
    return f"*.{named}"


def is_host_of(host: str, patterns: Collection[str]) -> bool:
    """Tell whether one of the `host_pattern`s names a host."""
    return any(
        is_below(host, one.removeprefix("*.")) if one.startswith("*.") else host == one
        for one in patterns
    )


def domain(text: str) -> str:
    """Return a cookie's domain, without a leading dot (RFC 6265 section 5.2.3)."""
    return host(text.removeprefix("."))


def profile_template(text: str) -> str | None:
    """Return the template of a profile page with `{did}`, or None for `none`."""
    return _template(text, "{did}")


def picture_template(text: str) -> str | None:
    """Return the template of a picture with `{did}` and `{cid}`, or None for `none`."""
    return _template(text, "{did}", "{cid}")


def _template(text: str, *fields: str) -> str | None:
    if text == "none":
        return None
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.username:
        raise ValueError(f"{text!r} is no https URL")
    if any(text.count(field) != 1 for field in fields) or "{" in parts.netloc:
        once = "once each" if len(fields) > 1 else "once"
        raise ValueError(
            f"{text!r} must have {' and '.join(fields)} in its path, {once}"
        )
    return text


def handle_suffix(text: str) -> str | None:
    """Return the suffix of bare names with its leading dot, or None for `none`."""
    return None if text == "none" else f".{domain(text)}"


def landing(text: str) -> str:
    """Return a local path or a full URL."""
    if _LOCAL_PATH.fullmatch(text) is not None:
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError(f"{text!r} is neither a local path nor a URL")
    return text


def listener(text: str) -> Address | str:
    """Return the address to listen on, or `unix:` and an absolute path."""
    if text.startswith("unix:/"):
        return text
    return address(text)


def optional_listener(text: str) -> Address | str | None:
    """Return the address to listen on, or None for `off`."""
    return None if text == "off" else listener(text)


def address(text: str, *, default_port: int | None = None) -> Address:
    """Return an IP address and a port: 127.0.0.1:8000 or [::1]:8000."""
    numbers, port = _split_address(text)
    if not is_ip_address(numbers):
        raise ValueError(f"{text!r} is no IP address with a port, as in 127.0.0.1:8000")
    if not port and default_port is not None:
        return Address(numbers, default_port)
    if _PORT.fullmatch(port) is None or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} lacks a port from 1 to 65535")
    return Address(numbers, int(port))


def nameserver(text: str) -> Address:
    """Return the address of a name server; its default port is 53."""
    return address(text, default_port=53)


def network(text: str) -> IPv4Network | IPv6Network:
    """Return a network: 203.0.113.0/24, 2001:db8::/32, or a single address."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no network; write it as 203.0.113.0/24, without host bits"
        ) from error


def _split_address(text: str) -> tuple[str, str]:
    if text.startswith("["):
        numbers, bracket, port = text[1:].partition("]")
        return numbers if bracket else text, port.removeprefix(":")
    if text.count(":") > 1:
        return text, ""  # an IPv6 address without brackets has no room for a port
    numbers, _, port = text.partition(":")
    return numbers, port


def is_below(host: str, domain: str) -> bool:
    """Tell whether a host is a name below a domain, at any depth."""
    return host.endswith(f".{domain}")


def is_public_suffix(domain: str) -> bool:
    """Tell whether strangers can register names below a domain.

    The private section counts (github.io), and so does any single label: a cookie for
    `internal` would reach every host of the network.
    """
    return _public_suffixes().publicsuffix(domain) == domain


def is_on_the_public_internet(host: str) -> bool:
    """Tell whether a host is below a listed suffix; .internal and .test are not."""
    return _public_suffixes().publicsuffix(host, accept_unknown=False) is not None


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()
