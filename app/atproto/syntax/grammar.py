"""The grammar of handles, DIDs and server origins.

Defines the three types that prove a string was parsed; other modules take these and
not a bare `str`. Pure: what a person may have meant is in `syntax/identifier.py`, where
this client may connect in `http/url_policy.py`. Every match is of the whole string: `$`
would let a line feed through (requirement 1.4).
"""

from __future__ import annotations

import re
from typing import Final, NewType
from urllib.parse import urlsplit

from ..errors import DidMethodUnsupported, IdentifierInvalid
from .host_names import RESERVED_TLDS, is_full_name, is_host_name, is_ip_address

Handle = NewType("Handle", str)
"""A handle in lower case; it does not prove whose it is."""

Did = NewType("Did", str)
"""A did:plc or did:web, byte for byte as given: DIDs are case-sensitive."""

Origin = NewType("Origin", str)
"""`https://host` or `https://host:port`: lower case, no default port, no slash."""

_DID = re.compile(
    r"(?=.{1,2048}\Z)did:(?P<method>[a-z]+):[A-Za-z0-9._:%-]*[A-Za-z0-9._-]"
)
_DID_PLC = re.compile(r"did:plc:[a-z2-7]{24}")
_DID_WEB = re.compile(
    r"did:web:(?P<host>[A-Za-z0-9.-]+)(?:%3[Aa](?P<port>[1-9][0-9]{0,4}))?"
)
# This grammar has no user-info, and no host that a second URL parser could read
# differently: the origin is rebuilt from these parts and nothing else.
_URL = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://"
    r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>(?:[/?#].*)?)",
    re.DOTALL,
)
DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def parse_handle(text: str) -> Handle:
    """Return the handle in lower case (requirement 1.4).

    Reserved names pass: they are well-formed; `is_handle_resolvable` refuses them.

    Raises:
        IdentifierInvalid: not a handle.
    """
    if not is_handle(text):
        raise IdentifierInvalid("not a handle")
    return Handle(text.lower())


def is_handle(text: str) -> bool:
    """Tell whether `parse_handle` would accept this."""
    return is_full_name(text)


def is_handle_resolvable(handle: Handle, *, allow_test: bool = False) -> bool:
    """Tell whether a handle may be looked up at all (requirements 1.5 and 1.6).

    `.test` is for development; `handle.invalid` marks an account without a handle.
    """
    tld = handle.rpartition(".")[2]
    return tld not in RESERVED_TLDS and (tld != "test" or allow_test)


def parse_did(
    text: str, *, allow_localhost: bool = False, allow_test: bool = False
) -> Did:
    """Return a DID of a method that we can resolve (requirements 1.7 to 1.10).

    `allow_localhost` admits did:web:localhost, with a port, for development.

    Raises:
        DidMethodUnsupported: a DID of another method than plc and web.
        IdentifierInvalid: not a DID, or one that its method cannot create.
    """
    match = _DID.fullmatch(text)
    if match is None:
        raise IdentifierInvalid("not a DID")
    method = match["method"]
    if method == "plc":
        possible = _DID_PLC.fullmatch(text) is not None
    elif method == "web":
        possible = _is_did_web(text, localhost=allow_localhost, test=allow_test)
    else:
        raise DidMethodUnsupported(method)
    if not possible:
        raise IdentifierInvalid(f"not a did:{method}")
    return Did(text)


def did_web_origin(did: Did) -> Origin:
    """Return the origin that serves the document of a did:web (requirement 1.10).

    Plain http for localhost only, which `parse_did` accepts in development only.
    """
    host = did.removeprefix("did:web:").replace("%3A", ":").replace("%3a", ":")
    scheme = "http" if host.partition(":")[0] == "localhost" else "https"
    return parse_origin(f"{scheme}://{host}", allow_http=True)


def parse_origin(text: str, *, allow_http: bool = False) -> Origin:
    """Return the origin of a URL without a path, or with "/" (requirement 1.27).

    The result is normalised, so "exactly an origin" (requirement 2.3) is
    `parse_origin(text) == text`. `allow_http` is the development switch: plain http,
    and hosts without a public name, such as localhost or an address.

    Raises:
        IdentifierInvalid: another scheme, user-info, a path, a query, a fragment, or
            a host that is no public DNS name.
    """
    return _parse_url(text, rest={"", "/"}, allow_http=allow_http)


def parse_server_url(text: str, *, allow_http: bool = False) -> Origin:
    """Return the origin of a URL that a person typed (requirement 2.11).

    Raises:
        IdentifierInvalid: as `parse_origin`; a path, a query or a fragment is cut off.
    """
    return _parse_url(text, rest=None, allow_http=allow_http)


def host_of(url: str) -> str:
    """Return the host of a URL that was parsed before, without brackets."""
    return urlsplit(url).hostname or ""


def _parse_url(text: str, *, rest: set[str] | None, allow_http: bool) -> Origin:
    match = _URL.fullmatch(text)
    if match is None:
        raise IdentifierInvalid("not the URL of a server")
    if rest is not None and match["rest"] not in rest:
        raise IdentifierInvalid("the URL is more than an origin")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if scheme == "http" and not allow_http:
        raise IdentifierInvalid("the URL is not https")  # requirement 2.14
    if not _is_host(host, development=allow_http):
        raise IdentifierInvalid("the URL's host is not a public name")
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if port > 65535:
        raise IdentifierInvalid("the URL's port is out of range")
    suffix = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    return Origin(f"{scheme}://{host}{suffix}")


def _is_host(host: str, *, development: bool) -> bool:
    if not development:
        return is_handle(host)
    if host.startswith("["):
        return ":" in host and is_ip_address(host[1:-1])
    return is_host_name(host)


def _is_did_web(text: str, *, localhost: bool, test: bool) -> bool:
    match = _DID_WEB.fullmatch(text)
    if match is None:
        return False
    host = match["host"]
    if host == "localhost":
        return localhost and int(match["port"] or 80) <= 65535
    if match["port"] is not None or not is_handle(host):
        return False
    return is_handle_resolvable(Handle(host.lower()), allow_test=test)
