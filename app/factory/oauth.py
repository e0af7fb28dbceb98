"""Who we are to authorization servers, and the client that speaks with them."""

from __future__ import annotations

from collections.abc import Callable

from app.atproto.client import OAuthClient
from app.atproto.client_metadata.builders import (
    ClientMetadata,
    Presentation,
    build_confidential_web_client,
    build_loopback_client,
)
from app.atproto.crypto.keys import ClientKeys
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.open_client import open_client as open_oauth_client
from app.config import Settings
from app.flows.signing_keys import KeyRings

from .outside import Outside
from .storage import Stores


def client_metadata(
    settings: Settings, rings: KeyRings
) -> Callable[[str], ClientMetadata]:
    """Return what builds the metadata for one of the two paths it is served at.

    Loopback development has one client for both, whose id needs no document (3.26).
    """
    redirect_uris = (settings.redirect_uri,)
    if settings.is_loopback_development:
        client = build_loopback_client(
            redirect_uris=redirect_uris, scope=settings.declared_scope
        )
        return lambda _path: client
    return lambda path: build_confidential_web_client(
        client_id=settings.public_url + path,
        redirect_uris=redirect_uris,
        scope=settings.declared_scope,
        jwks=rings.client().public_jwks(),
        presentation=Presentation(
            client_name=settings.platform_name, client_uri=f"{settings.public_url}/"
        ),
    )


def open_client(
    outside: Outside,
    stores: Stores,
    *,
    settings: Settings,
    policy: NetworkPolicy,
    metadata: Callable[[], ClientMetadata],
    keys: Callable[[], ClientKeys] | None,
    before_host: Callable[[str], None],
) -> OAuthClient:
    """Return the OAuth client; one serves all threads."""
    return open_oauth_client(
        metadata=metadata,
        keys=keys,
        states=stores.states,
        sessions=stores.grants,
        http=outside.http,
        clock=outside.clock,
        txt=outside.txt,
        cache=stores.cache,
        policy=policy,
        plc_url=settings.plc_url,
        before_host=before_host,
    )
