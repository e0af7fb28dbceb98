"""The cookies of one browser, kept and sent by the rules of RFC 6265bis.

What a real browser would drop is dropped here too: a `__Host-` cookie with a Domain or
without Secure, a Secure cookie over plain http, one for a domain that is not ours. And
Lax cookies stay at home when another site posts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie as the browser keeps it."""

    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool
    http_only: bool
    same_site: str
    expires_at: float | None

    def belongs_to(self, host: str, path: str) -> bool:
        below = not self.host_only and host.endswith("." + self.domain)
        return (host == self.domain or below) and path.startswith(self.path)


class CookieJar:
    """What one browser remembers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def __iter__(self) -> Iterator[Cookie]:
        return iter([c for c in self._cookies.values() if self._is_fresh(c)])

    def get(self, name: str) -> Cookie | None:
        for cookie in list(self._cookies.values()):
            if cookie.name == name and self._is_fresh(cookie):
                return cookie
        return None

    def clear(self) -> None:
        self._cookies.clear()

    def keep(self, cookies: Iterable[Cookie]) -> None:
        """Put cookies back, and let none of them grow old."""
        for cookie in cookies:
            lasting = replace(cookie, expires_at=None)
            self._cookies[cookie.domain, cookie.path, cookie.name] = lasting

    def receive(self, url: str, headers: Iterable[str]) -> None:
        """Keep the cookies of an answer, as far as a browser would."""
        for header in headers:
            cookie = self._parsed(url, header)
            if _is_acceptable(cookie, url):
                self._cookies[cookie.domain, cookie.path, cookie.name] = cookie

    def header(self, url: str, *, method: str, cross_site: bool) -> str:
        """Return the Cookie header of a navigation to a URL."""
        parts = urlsplit(url)
        wanted = [
            f"{cookie.name}={cookie.value}"
            for cookie in list(self._cookies.values())
            if cookie.belongs_to(parts.hostname or "", parts.path or "/")
            and self._is_fresh(cookie)
            and (parts.scheme == "https" or not cookie.secure)
            and not (cross_site and _stays_home(cookie, method))
        ]
        return "; ".join(wanted)

    def _is_fresh(self, cookie: Cookie) -> bool:
        return cookie.expires_at is None or cookie.expires_at > self._clock()

    def _parsed(self, url: str, header: str) -> Cookie:
        (name, morsel), *others = SimpleCookie(header).items()
        if others:
            raise AssertionError(f"more than one cookie in a header: {header}")
        age = morsel["max-age"]
        if morsel["expires"] and not age and "1970" not in morsel["expires"]:
            raise AssertionError(f"a cookie without Max-Age cannot be followed: {name}")
        expired = not age and bool(morsel["expires"])
        lifetime = float(age) if age else (0.0 if expired else None)
        domain = morsel["domain"].lstrip(".").lower()
        return Cookie(
            name=name,
            value=morsel.value,
            domain=domain or urlsplit(url).hostname or "",
            host_only=not domain,
            path=morsel["path"] or "/",
            secure=bool(morsel["secure"]),
            http_only=bool(morsel["httponly"]),
            same_site=morsel["samesite"],
            expires_at=None if lifetime is None else self._clock() + lifetime,
        )


def _is_acceptable(cookie: Cookie, url: str) -> bool:
    parts = urlsplit(url)
    if cookie.secure and parts.scheme != "https":
        return False
    if cookie.name.startswith("__Host-"):
        return cookie.secure and cookie.host_only and cookie.path == "/"
    if cookie.name.startswith("__Secure-") and not cookie.secure:
        return False
    return cookie.belongs_to(parts.hostname or "", cookie.path)


def _stays_home(cookie: Cookie, method: str) -> bool:
    """Tell whether a cross-site top-level request goes without this cookie."""
    if cookie.same_site == "None":
        return False
    return cookie.same_site == "Strict" or method != "GET"
