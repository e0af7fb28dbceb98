"""Rules of client registration: ids, names, URIs, scopes, and what goes together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from app.atproto.syntax.foreign_json import parse_json
from app.flows.errors import AppNameInvalid, ClientInvalid
from app.flows.native.app_identity import parse_app_name
from app.flows.people.signup.admission import EVERYONE
from app.tokens.client_assertions import parse_jwks

from .policy import checked_entry
from .redirect_uris import LONGEST, RedirectRules, is_web
from .registration import GRANT_TYPES, Registration
from .scopes import parse_scope

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")

MOST_CLIENTS: Final = 1_000
MOST_URIS: Final = 50
"""Redirect URIs of one client, and its URIs after a sign-out."""

MOST_ALLOWED: Final = 100
"""Entries of one policy."""


def is_key_uri(uri: str) -> bool:
    """Tell whether a client's keys may be at a URL; the hardened door decides more."""
    parts = urlsplit(uri)
    has_host = bool(parts.hostname) and "@" not in parts.netloc
    return (
        uri.isascii()
        and uri.isprintable()
        and len(uri) <= LONGEST
        and parts.scheme == "https"
        and has_host
        and not parts.fragment
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRules:
    """What an operator may register; each check raises `ClientInvalid`."""

    redirects: RedirectRules
    token_audience: str
    email_domain: str | None
    is_email_asked: bool
    """Whether SCOPE asks hosts for the addresses of people."""
    is_public_suffix: Callable[[str], bool]
    allow_test: bool

    def check_id(self, client_id: str) -> None:
        """Return if a client may have this id.

        A service that verifies platform tokens compares `aud` with TOKEN_AUDIENCE: no
        id_token may have that audience (RFC 8725 section 3.9).
        """
        if not CLIENT_ID.fullmatch(client_id):
            raise ClientInvalid(
                f"{client_id[:80]!r} is no client_id: 1 to 64 letters, digits, dots, "
                "dashes and underscores, the first and last a letter or digit"
            )
        # Without regard to case: verifiers may fold it.
        if client_id.lower() == self.token_audience.lower():
            raise ClientInvalid(f"{client_id} is the audience of the platform token")

    def checked(self, registration: Registration) -> Registration:
        """Return the registration as it is stored."""
        self._check_uris(registration)
        self._check_public(registration)
        self._check_keys(registration)
        if registration.email == "placeholder" and self.email_domain is None:
            raise ClientInvalid("--email placeholder needs the setting EMAIL_DOMAIN")
        if registration.email == "account" and not self.is_email_asked:
            raise ClientInvalid(
                "--email account needs account:email or transition:email in the "
                "setting SCOPE"
            )
        unknown = set(registration.grant_types) - set(GRANT_TYPES)
        if unknown or "authorization_code" not in registration.grant_types:
            raise ClientInvalid(f"--grant: there are {', '.join(GRANT_TYPES)}")
        try:
            return replace(
                registration,
                name=parse_app_name(registration.name),
                scope=parse_scope([registration.scope]),
                grant_types=tuple(dict.fromkeys(registration.grant_types)),
            )
        except AppNameInvalid as error:
            raise ClientInvalid(f"--name: {error}") from error
        except ValueError as error:
            raise ClientInvalid(f"--scope: {error}") from error

    def checked_policy(self, allow: tuple[str, ...]) -> tuple[str, ...]:
        """Return a policy as it is stored. A client without one is refused."""
        if not 1 <= len(allow) <= MOST_ALLOWED:
            raise ClientInvalid(f"--allow: name 1 to {MOST_ALLOWED}")
        try:
            entries = {
                checked_entry(
                    entry,
                    is_public_suffix=self.is_public_suffix,
                    allow_test=self.allow_test,
                )
                for entry in allow
            }
        except ValueError as error:
            raise ClientInvalid(f"--allow: {error}") from error
        if EVERYONE in entries and len(entries) > 1:
            raise ClientInvalid(f"--allow: {EVERYONE} stands alone")
        return tuple(sorted(entries))

    def _check_uris(self, registration: Registration) -> None:
        if not registration.redirect_uris:
            raise ClientInvalid("--redirect-uri: name one, or --preset with --url")
        backchannel = registration.backchannel_logout_uri
        if backchannel is not None and not backchannel.startswith(
            ("https://", "http://")
        ):
            raise ClientInvalid("--backchannel-logout-uri: it must be https or http")
        for option, uris in (
            ("--redirect-uri", registration.redirect_uris),
            ("--post-logout-uri", registration.post_logout_uris),
            ("--backchannel-logout-uri", () if backchannel is None else (backchannel,)),
        ):
            if len(uris) > MOST_URIS or len(set(uris)) < len(uris):
                raise ClientInvalid(f"{option}: at most {MOST_URIS}, each once")
            for uri in uris:
                self._check_uri(option, uri, registration)

    def _check_uri(self, option: str, uri: str, registration: Registration) -> None:
        try:
            self.redirects.check(uri, is_public=registration.is_public)
        except ValueError as error:
            raise ClientInvalid(f"{option} {uri[:100]!r}: {error}") from error

    def _check_keys(self, registration: Registration) -> None:
        if registration.has_keys and registration.is_public:
            raise ClientInvalid("a public client has no keys")
        uri = registration.jwks_uri
        if uri is not None and (registration.jwks is not None or not is_key_uri(uri)):
            raise ClientInvalid("--jwks-uri: one https URL, and no --jwks beside it")
        try:
            if registration.jwks is not None:
                parse_jwks(parse_json(registration.jwks.encode()))
        except ValueError as error:
            raise ClientInvalid(f"--jwks: {error}") from error

    def _check_public(self, registration: Registration) -> None:
        if not registration.is_public:
            return
        if registration.pkce == "optional":
            raise ClientInvalid("a public client always needs PKCE")
        if registration.is_trusted and not all(map(is_web, registration.redirect_uris)):
            raise ClientInvalid(
                "--trusted: another app can take the place of a public client on "
                "loopback or a private-use scheme, so people are asked"
            )
