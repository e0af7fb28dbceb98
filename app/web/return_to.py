"""Where `return_to` may lead: our own paths and the platform's hosts, nothing else.

Judged when it arrives and kept in that form; no URL of a callback is ever followed
(requirement 9.9). What a browser could read in two ways is refused, not repaired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 2048

# Visible ASCII without the backslash, which browsers take for a slash.
_PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)"
    r"(?::(?P<port>[0-9]+))?(?P<rest>(?:[/?#].*)?)"
)

# A developer's own services, beside a Latchkey of loopback development.
_LOOPBACK_URL = re.compile(
    r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?(?P<rest>(?:[/?#].*)?)"
)


class ReturnToInvalid(Exception):
    """A `return_to` that leads where this platform does not send people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPolicy:
    """Judges `return_to` by the settings of this deployment."""

    public_url: str
    hosts: frozenset[str]
    below: str | None
    """Every host under this domain may be returned to."""
    allow_http: bool
    allow_loopback: bool = False
    """Any port of this machine, with and without TLS: loopback development."""

    def parse(self, text: str | None) -> str:
        """Return an accepted `return_to`, or "" when none was given.

        Raises:
            ReturnToInvalid: it leads elsewhere, or could be read to.
        """
        if not text:
            return ""
        if len(text) > LONGEST or not _PLAIN.fullmatch(text):
            raise ReturnToInvalid("too long, or not plain ASCII")
        if text.startswith("/"):
            return _own_path(text)
        if self.allow_loopback and _LOOPBACK_URL.fullmatch(text):
            return text
        match = _URL.fullmatch(text)
        if match is None:
            raise ReturnToInvalid("neither a path nor a URL")
        self._check(match)
        return text

    def is_origin(self, text: str) -> bool:
        """Tell whether this is the origin of a place that `return_to` may lead to.

        As browsers write it, which is one way only: nothing is folded or repaired.
        """
        loopback = self.allow_loopback and _LOOPBACK_URL.fullmatch(text)
        match = loopback or _URL.fullmatch(text)
        if not match or match["rest"] or text != text.lower():
            return False
        if loopback:
            return True
        try:
            self._check(match)
        except ReturnToInvalid:
            return False
        return True

    def _check(self, match: re.Match[str]) -> None:
        scheme, host = match["scheme"].lower(), match["host"].lower()
        port = f":{match['port']}" if match["port"] else ""
        if f"{scheme}://{host}{port}" == self.public_url:
            return
        if scheme != "https" and not (scheme == "http" and self.allow_http):
            raise ReturnToInvalid("not https")
        if port:
            raise ReturnToInvalid("not the default port")
        if host not in self.hosts and not self._is_below(host):
            raise ReturnToInvalid("not a host of this platform")

    def _is_below(self, host: str) -> bool:
        return self.below is not None and host.endswith(f".{self.below}")


def _own_path(text: str) -> str:
    if text.startswith("//"):
        raise ReturnToInvalid("a path must not name another host")
    return text
