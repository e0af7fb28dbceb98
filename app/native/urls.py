"""Checks of URLs: the service's, and the page that the browser opens.

The token goes to the service's URL and to no other, so it is checked before anything is
sent: https, or http to a loopback host.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from .errors import NotALatchkeyServer, ServerUrlInvalid

PORTS: Final = {"https": 443, "http": 80}
LONGEST: Final = 2048
HOST: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?|[0-9a-f:.]*:[0-9a-f:.]*")
"""A host name, an IPv4 or an IPv6 address, in lower case."""


def parse_server_url(text: str) -> str:
    """Return the origin of the service: scheme, host, and any port but the default.

    A bare host name is completed with https. A path, a query or a fragment is refused,
    because the service's routes are below its origin. Raises ServerUrlInvalid with the
    reason.
    """
    url = text.strip()
    url = url if "://" in url else f"https://{url}"
    parts = _checked(url)
    if parts.path not in {"", "/"} or "?" in url or "#" in url:
        raise ServerUrlInvalid("give the service's address without a path")
    return _origin(parts)


def parse_page_url(url: object) -> str:
    """Return the URL of a login's page, if a browser may open it.

    Opening a `file:` URL or another app's scheme would start the program that is
    registered for it. Raises NotALatchkeyServer for those.
    """
    text = url if isinstance(url, str) else ""
    try:
        _checked(text)
    except ServerUrlInvalid as error:
        message = f"the login's page cannot be opened: {error}"
        raise NotALatchkeyServer(message) from error
    return text


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine (RFC 6761 section 6.3)."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(url: str) -> SplitResult:
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
    is_default = parts.port is None or parts.port == PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if is_default else f":{parts.port}")
