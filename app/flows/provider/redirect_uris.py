"""Redirect URIs of OAuth clients: which can be registered, and which request matches.

https, http on loopback, or a private-use scheme with a dot (RFC 8252 section 7).
Comparison is byte for byte; the port of http loopback alone is free, for public clients
(RFC 9700 section 2.1, RFC 8252 section 7.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.atproto.syntax.host_names import is_host_name, is_ip_address

LONGEST: Final = 2_000
"""Characters of a redirect URI."""

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "[::1]", "localhost"})

# What RFC 3986 allows, without fragment, wildcard, and what a browser rewrites.
_REST = r"[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]"
_WEB = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    rf"(?P<rest>(?:[/?]{_REST}*)?)"
)
_PRIVATE = re.compile(rf"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:(?P<rest>/{_REST}*)")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2[Ee]){1,2}(?=[/?]|\Z)")
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectRules:
    """What can be registered with this platform."""

    own_origin: str
    """PUBLIC_URL: no client is sent to a page of ours."""
    is_development: bool
    """On loopback a client with a secret may be sent to http loopback as well."""

    def check(self, uri: str, *, is_public: bool) -> None:
        """Return if the URI can be registered.

        Raises:
            ValueError: with what is wrong; the message does not quote the URI.
        """
        if len(uri) > LONGEST:
            raise ValueError(f"it has more than {LONGEST} characters")
        web = _WEB.fullmatch(uri)
        private = None if web else _PRIVATE.fullmatch(uri)
        found = web or private
        if found is None:
            raise ValueError(
                "it must be https, http on loopback, or a scheme with a dot; without "
                "user-info, fragment and wildcard"
            )
        if _DOT_SEGMENT.search(found["rest"].partition("?")[0]):
            raise ValueError("browsers rewrite a path with dot segments")
        if web is not None:
            self._check_web(web, is_public=is_public)
        elif not is_public:
            raise ValueError("a private-use scheme is for public clients")

    def is_own(self, uri: str) -> bool:
        """Tell whether a URI leads to this service."""
        own, asked = _WEB.fullmatch(self.own_origin), _WEB.fullmatch(uri)
        if own is None or asked is None:
            return False
        if is_loopback(own) and is_loopback(asked):
            return _port(own) == _port(asked)
        return (own["host"].lower(), _port(own)) == (
            asked["host"].lower(),
            _port(asked),
        )

    def matches(self, registered: str, asked: str, *, is_public: bool) -> bool:
        """Tell whether a request may name this URI."""
        if registered == asked:
            return True
        if not is_public or len(asked) > LONGEST:
            return False
        known, web = _WEB.fullmatch(registered), _WEB.fullmatch(asked)
        if known is None or web is None or not is_loopback(known):
            return False
        parts = ("scheme", "host", "rest")
        if any(known[part] != web[part] for part in parts) or _port(web) > 65_535:
            return False
        return not self.is_own(asked)

    def _check_web(self, web: re.Match[str], *, is_public: bool) -> None:
        host = web["host"]
        if not _is_host(host) or _port(web) > 65_535:
            raise ValueError("its host or port cannot be")
        if web["scheme"] == "http":
            if not is_loopback(web):
                raise ValueError("http is for 127.0.0.1, [::1] and localhost alone")
            if not is_public and not self.is_development:
                raise ValueError(
                    "http on loopback is for public clients, and for all in loopback "
                    "development"
                )
        if self.is_own(web.string):
            raise ValueError("it leads to this service itself")


def is_loopback(web: re.Match[str]) -> bool:
    """Tell whether a URL of ours, matched before, is http on loopback."""
    return web["scheme"] == "http" and web["host"] in LOOPBACK_HOSTS


def is_web(uri: str) -> bool:
    """Tell whether a registered URI is https: another app cannot receive it."""
    return uri.startswith("https://")


def base_of(url: str) -> str:
    """Return the URL of an app without its last slashes.

    Raises:
        ValueError: not http or https, or with a query.
    """
    match = _WEB.fullmatch(url)
    if match is None or "?" in url or not _is_host(match["host"]):
        raise ValueError("write https://host, and a path where the app has one")
    return url.rstrip("/")


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return is_ip_address(host[1:-1])
    return is_host_name(host)


def _port(web: re.Match[str]) -> int:
    return int(web["port"] or _PORTS[web["scheme"]])
