"""Builders of client metadata documents, one per kind of client (section 3).

Pure. Each result is validated by `client_metadata/rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self
from urllib.parse import quote, urlencode

from ..errors import ClientMetadataInvalid
from ..records import AuthMethod
from ..scopes.scope import ATPROTO
from .rules import (
    LOOPBACK_REDIRECT,
    check_client_scope,
    validate_client_metadata,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What authorization servers show about this client (requirement 3.9)."""

    client_name: str | None = None
    client_uri: str | None = None
    logo_uri: str | None = None
    tos_uri: str | None = None
    policy_uri: str | None = None

    def fields(self) -> dict[str, str]:
        """Return those that are given."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in given.items() if value is not None}


UNPRESENTED: Final = Presentation()
"""Servers show the client id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMetadata:
    """This client, as authorization servers know it."""

    client_id: str
    redirect_uris: tuple[str, ...]
    scope: str
    """The largest scope; each login requests a part of it."""
    auth_method: AuthMethod
    application_type: Literal["web", "native"] = "web"
    jwks: Mapping[str, Any] | None = None
    presentation: Presentation = UNPRESENTED

    def document(self) -> dict[str, Any]:
        """Return the JSON to serve at `client_id` (requirements 3.6 to 3.8)."""
        document: dict[str, Any] = {
            "client_id": self.client_id,
            "application_type": self.application_type,
            "redirect_uris": list(self.redirect_uris),
            "scope": self.scope,
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"],
            "dpop_bound_access_tokens": True,
            "token_endpoint_auth_method": self.auth_method,
            **self.presentation.fields(),
        }
        if self.jwks is not None:
            document |= {"token_endpoint_auth_signing_alg": "ES256", "jwks": self.jwks}
        return document

    def validated(self) -> Self:
        """Return the same metadata.

        Raises:
            ClientMetadataInvalid: servers would refuse the document.
        """
        validate_client_metadata(self.document())
        return self

    def is_redirect(self, uri: str) -> bool:
        """Tell whether a login may come back to this URI.

        It has to be one of ours byte for byte. A loopback address that was declared
        without a port matches with any port (requirement 3.24).
        """
        if uri in self.redirect_uris:
            return True
        loopback = LOOPBACK_REDIRECT.fullmatch(uri)
        if loopback is None:
            return False
        return f"http://{loopback['host']}{loopback['path']}" in self.redirect_uris


def build_confidential_web_client(
    *,
    client_id: str,
    redirect_uris: Sequence[str],
    scope: str,
    jwks: Mapping[str, Any],
    presentation: Presentation = UNPRESENTED,
) -> ClientMetadata:
    """Return a web client that authenticates with its keys (requirements 3.14 to 3.17).

    The keys are in the document itself: servers need one request fewer, and never have
    a document without its keys (requirement 3.19).

    Raises:
        ClientMetadataInvalid: servers would refuse it.
    """
    return ClientMetadata(
        client_id=client_id,
        redirect_uris=tuple(redirect_uris),
        scope=scope,
        auth_method="private_key_jwt",
        jwks=jwks,
        presentation=presentation,
    ).validated()


def build_public_web_client(
    *,
    client_id: str,
    redirect_uris: Sequence[str],
    scope: str,
    presentation: Presentation = UNPRESENTED,
) -> ClientMetadata:
    """Return a web client without keys; servers limit its sessions (requirement 3.20).

    Raises:
        ClientMetadataInvalid: servers would refuse it.
    """
    return ClientMetadata(
        client_id=client_id,
        redirect_uris=tuple(redirect_uris),
        scope=scope,
        auth_method="none",
        presentation=presentation,
    ).validated()


def build_native_client(
    *,
    client_id: str,
    redirect_uris: Sequence[str],
    scope: str,
    presentation: Presentation = UNPRESENTED,
) -> ClientMetadata:
    """Return an installed app with published metadata (requirements 3.21 to 3.25).

    A redirect URI is a loopback address by number (`http://127.0.0.1/callback`, with
    any port unless one is given), the reversed host of the client id as a scheme
    (`com.example.app:/callback`), or https at that host. A mobile app with a server of
    its own should be that server's confidential client.

    Raises:
        ClientMetadataInvalid: servers would refuse it.
    """
    return ClientMetadata(
        client_id=client_id,
        redirect_uris=tuple(redirect_uris),
        scope=scope,
        auth_method="none",
        application_type="native",
        presentation=presentation,
    ).validated()


def build_loopback_client(
    *, redirect_uris: Sequence[str], scope: str = ATPROTO
) -> ClientMetadata:
    """Return the client of loopback development (requirement 3.26).

    No document is published: servers derive it from the id. The redirect URIs and the
    scope are always in the id, because the defaults are of no use (requirement 3.27).
    A program that is shipped publishes its metadata instead (requirement 3.25).

    Raises:
        ClientMetadataInvalid: a redirect URI that is not at 127.0.0.1 or [::1]
            (requirement 3.28), or a scope that may not be requested.
    """
    if not redirect_uris or len(set(redirect_uris)) != len(redirect_uris):
        raise ClientMetadataInvalid("redirect_uris: at least one, each once")
    for uri in redirect_uris:
        if LOOPBACK_REDIRECT.fullmatch(uri) is None:
            raise ClientMetadataInvalid(f"redirect_uri {uri} is not a loopback address")
    check_client_scope(scope)
    query = [("scope", scope), *(("redirect_uri", uri) for uri in redirect_uris)]
    return ClientMetadata(
        client_id="http://localhost?" + urlencode(query, quote_via=quote),
        redirect_uris=tuple(redirect_uris),
        scope=scope,
        auth_method="none",
        application_type="native",
    )
