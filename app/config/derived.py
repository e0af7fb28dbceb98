"""Values that follow from the settings: our host, client_id, redirect URI, prefixes.

Every absolute URL of ours and every question about the kind of installation is
answered here.
"""

from __future__ import annotations

from app.atproto.syntax.grammar import host_of

from .variables import Variables

VERSION = "0.2.0"

FORMER_COOKIE_NAME = "platform_token"


class Derived(Variables):
    """The variables and what follows from them."""

    @property
    def host(self) -> str:
        """Our own host, without port."""
        return host_of(self.public_url)

    @property
    def is_loopback_development(self) -> bool:
        """Whether this is one developer's machine (requirement 3.31).

        PUBLIC_URL decides it; no request can.
        """
        return self.public_url.startswith("http://")

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach us over https, so that cookies can be `__Host-`."""
        return not self.is_loopback_development

    @property
    def is_plain_http_allowed(self) -> bool:
        """Whether `return_to` may be http: in loopback development and in the lab."""
        return self.is_loopback_development or self.lab_network

    @property
    def cookie_prefix(self) -> str:
        """What the names of our own cookies begin with (requirement 9.15)."""
        return "__Host-" if self.is_secure else ""

    @property
    def default_cookie_name(self) -> str:
        """The name of the platform cookie unless COOKIE_NAME is set.

        With `__Host-` browsers take the cookie from our own host alone, so no other
        host of the domain can replace it. A parent domain rules that prefix out.
        """
        prefix = "" if self.cookie_domain else self.cookie_prefix
        return prefix + FORMER_COOKIE_NAME

    @property
    def former_cookie_name(self) -> str | None:
        """The earlier default of COOKIE_NAME, which browsers may still send.

        None where COOKIE_NAME is another one, or still this one.
        """
        is_default = self.cookie_name == f"__Host-{FORMER_COOKIE_NAME}"
        return FORMER_COOKIE_NAME if is_default else None

    @property
    def allowed_return_hosts(self) -> frozenset[str]:
        """Exact hosts that `return_to` may lead to.

        Hosts below COOKIE_DOMAIN are allowed as well, and are not in this set.
        """
        shared = () if self.cookie_domain is None else (self.cookie_domain,)
        return frozenset({self.host, *shared, *self.return_hosts})

    @property
    def client_id(self) -> str:
        """The client_id of the hosted client (requirement 3.5).

        Loopback development builds its own (requirement 3.26).
        """
        return self.public_url + self.client_metadata_path

    @property
    def declared_scope(self) -> str:
        """The scope of our client metadata: SCOPE_MAX, and SCOPE as it is spelled.

        Authorization servers compare it word by word with the scope of a request
        (requirement 4.6).
        """
        words = dict.fromkeys([*self.scope_max.split(" "), *self.scope.split(" ")])
        return " ".join(words)

    @property
    def redirect_uri(self) -> str:
        """Where authorization servers send people back to."""
        return f"{self.public_url}/auth/callback"

    @property
    def user_agent(self) -> str:
        """The User-Agent of requests to other servers (requirement 9.7)."""
        contact = (
            "loopback development"
            if self.is_loopback_development
            else f"+{self.public_url}"
        )
        return f"Latchkey/{VERSION} ({contact})"
