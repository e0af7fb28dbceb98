"""Addresses: the service's, and the page that the browser is sent to.

A token goes to the service's address and nowhere else, so it is judged before anything
is sent: https, or http where the wire does not leave this machine.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from .errors import ServerUnknown, ServerUrlInvalid

if TYPE_CHECKING:
    from urllib.parse import SplitResult

PORTS: Final = {"https": 443, "http": 80}
LONGEST: Final = 2048
HOST: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?|[0-9a-f:.]*:[0-9a-f:.]*")
"""A name, or an address of one version or the other, in lower case."""


def parse_server_url(text: str) -> str:
    """Return the origin of the service: scheme, host, and a port that is not usual.

    A bare host name is completed with https. A path, a query or a fragment is refused:
    the service has its routes below the origin, and would not see it.

    Raises:
        ServerUrlInvalid: with the reason.
    """
    url = text.strip()
    url = url if "://" in url else f"https://{url}"
    parts = _judged(url)
    if parts.path not in {"", "/"} or "?" in url or "#" in url:
        raise ServerUrlInvalid("give the service's address without a path")
    return _origin(parts)


def parse_page_url(url: object) -> str:
    """Return the page that a login begins with, if a browser may be sent there.

    Handing a `file:` URL or an app's own scheme to the system would start whatever is
    registered for it.

    Raises:
        ServerUnknown: it is none.
    """
    text = url if isinstance(url, str) else ""
    try:
        _judged(text)
    except ServerUrlInvalid as error:
        raise ServerUnknown(f"the login's page cannot be opened: {error}") from error
    return text


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address stays on this machine (RFC 6761 §6.3)."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _judged(url: str) -> SplitResult:
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise ServerUrlInvalid("an address is short printable ASCII")
    if "\\" in url:
        raise ServerUrlInvalid("an address has no backslash")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ServerUrlInvalid(f"this is no address: {error}") from error
    if parts.scheme not in PORTS or not HOST.fullmatch(host or ""):
        raise ServerUrlInvalid("an address begins with https:// and a host's name")
    if "@" in parts.netloc:
        raise ServerUrlInvalid("an address must not contain a user or a password")
    if parts.scheme == "http" and not is_loopback(host or ""):
        raise ServerUrlInvalid("http is for this machine only: use https")
    return parts


def _origin(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    usual = parts.port is None or parts.port == PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if usual else f":{parts.port}")
