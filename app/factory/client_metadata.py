"""The client metadata that authorization servers fetch, built once per key set."""

from __future__ import annotations

from app.atproto.client_metadata.builders import (
    ClientMetadata,
    Presentation,
    build_confidential_web_client,
    build_loopback_client,
)
from app.atproto.crypto.keys import ClientKeys
from app.config import Settings
from app.flows.keys.rings import KeyRings


class ClientMetadataOf:
    """Called with the path of a client metadata document.

    Each login needs the metadata. Building and validating it takes as long as a
    signature, so it is kept until the key ring changes.
    """

    def __init__(self, settings: Settings, rings: KeyRings) -> None:
        self._settings = settings
        self._rings = rings
        self._built: dict[str, tuple[ClientKeys | None, ClientMetadata]] = {}

    def __call__(self, path: str) -> ClientMetadata:
        """Return the client metadata for one of the two paths that it is served at."""
        is_loopback = self._settings.is_loopback_development
        keys = None if is_loopback else self._rings.client()
        built = self._built.get(path)
        if built is None or built[0] is not keys:
            built = self._built[path] = keys, self._build(path, keys)
        return built[1]

    def _build(self, path: str, keys: ClientKeys | None) -> ClientMetadata:
        """Build it; loopback development has one client for both paths.

        Its client_id needs no document (requirement 3.26).
        """
        settings = self._settings
        redirect_uris = (settings.redirect_uri,)
        if keys is None:
            return build_loopback_client(
                redirect_uris=redirect_uris, scope=settings.declared_scope
            )
        return build_confidential_web_client(
            client_id=settings.public_url + path,
            redirect_uris=redirect_uris,
            scope=settings.declared_scope,
            jwks=keys.public_jwks(),
            presentation=Presentation(
                client_name=settings.platform_name,
                client_uri=f"{settings.public_url}/",
                logo_uri=self._logo_uri(),
                tos_uri=settings.terms_url,
                policy_uri=settings.privacy_url,
            ),
        )

    def _logo_uri(self) -> str | None:
        logo = self._settings.logo
        if logo is None:
            return None
        return f"{self._settings.public_url}/auth/brand/logo?v={logo.mark}"
