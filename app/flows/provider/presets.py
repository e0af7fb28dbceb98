"""Presets of well-known apps: redirect URI and configuration, ready to paste.

docs/apps.md shows them. `is_tested` is true only for a preset with which a test of
tests/e2e/apps signs a person in; the others follow the documentation of the app.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from .registration import Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a configuration is made from; each value fits into every format below."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    registration: Registration
    url: str
    """Of the app; empty if it was not named."""

    def values(self) -> dict[str, str]:
        """Return the fields of the templates; the random ones are the app's own.

        An app that insists on an address gets the DID where it is told none: a username
        may go to another person, and apps find accounts by their address.
        """
        registration = self.registration
        has_email = (
            registration.email != "none" and "email" in registration.scope.split()
        )
        return {
            "email_claim": "email" if has_email else "sub",
            "issuer": self.issuer,
            "client_id": self.client_id,
            "client_secret": self.client_secret or "",
            "redirect_uri": registration.redirect_uris[0],
            "scope": registration.scope,
            "url": self.url,
            "random": secrets.token_urlsafe(32),
            "random_hex": secrets.token_hex(32),
            "is_https": "true" if self.url.startswith("https:") else "false",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One app."""

    path: str
    """Of its redirect URI, below its URL."""
    configuration: str
    """A template with the fields of `Settled.values`."""
    where: str
    """The file or the command that takes the configuration."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the registration that this app needs."""
    is_tested: bool = False

    def configure(self, settled: Settled) -> str:
        """Return the text to paste, with the client's secret in it."""
        return self.configuration.format(**settled.values())


OAUTH2_PROXY: Final = """\
provider = "oidc"
oidc_issuer_url = "{issuer}"
client_id = "{client_id}"
client_secret = "{client_secret}"
redirect_url = "{redirect_uri}"
scope = "{scope}"
code_challenge_method = "S256"
oidc_email_claim = "{email_claim}"
oidc_groups_claim = "groups"
insecure_oidc_allow_unverified_email = true
email_domains = ["*"]
skip_provider_button = true
cookie_secret = "{random}"
cookie_secure = {is_https}
cookie_refresh = "10m"
"""

APACHE: Final = """\
OIDCProviderMetadataURL "{issuer}/.well-known/openid-configuration"
OIDCClientID "{client_id}"
OIDCClientSecret "{client_secret}"
OIDCRedirectURI "{redirect_uri}"
OIDCCryptoPassphrase "{random}"
OIDCScope "{scope}"
OIDCPKCEMethod S256
OIDCRemoteUserClaim preferred_username
OIDCRefreshAccessTokenBeforeExpiry 300 logout_on_error
<Location "/">
    AuthType openid-connect
    Require valid-user
</Location>
"""

MINIFLUX: Final = """\
OAUTH2_PROVIDER=oidc
OAUTH2_OIDC_PROVIDER_NAME=Latchkey
OAUTH2_OIDC_DISCOVERY_ENDPOINT={issuer}
OAUTH2_CLIENT_ID={client_id}
OAUTH2_CLIENT_SECRET={client_secret}
OAUTH2_REDIRECT_URL={redirect_uri}
OAUTH2_USER_CREATION=1
"""

JUPYTERHUB: Final = """\
c.JupyterHub.authenticator_class = "generic-oauth"
c.GenericOAuthenticator.client_id = "{client_id}"
c.GenericOAuthenticator.client_secret = "{client_secret}"
c.GenericOAuthenticator.oauth_callback_url = "{redirect_uri}"
c.GenericOAuthenticator.authorize_url = "{issuer}/oauth/authorize"
c.GenericOAuthenticator.token_url = "{issuer}/oauth/token"
c.GenericOAuthenticator.userdata_url = "{issuer}/oauth/userinfo"
c.GenericOAuthenticator.scope = "{scope}".split()
c.GenericOAuthenticator.username_claim = "preferred_username"
c.GenericOAuthenticator.enable_pkce = True
c.GenericOAuthenticator.allow_all = True  # the client's policy decides
c.GenericOAuthenticator.enable_auth_state = True  # it asks again every five minutes
c.CryptKeeper.keys = ["{random_hex}"]
"""

GRAFANA: Final = """\
[auth.generic_oauth]
enabled = true
name = Latchkey
client_id = {client_id}
client_secret = {client_secret}
scopes = {scope}
auth_url = {issuer}/oauth/authorize
token_url = {issuer}/oauth/token
api_url = {issuer}/oauth/userinfo
use_pkce = true
login_attribute_path = preferred_username
name_attribute_path = name
email_attribute_path = {email_claim}
"""

GITEA: Final = """\
gitea admin auth add-oauth --name latchkey --provider openidConnect \\
    --key "{client_id}" --secret "{client_secret}" \\
    --auto-discover-url "{issuer}/.well-known/openid-configuration" \\
    --scopes "{scope}"
"""

GENERIC: Final = """\
issuer:        {issuer}
client_id:     {client_id}
client_secret: {client_secret}
redirect URI:  {redirect_uri}
scope:         {scope}
"""

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "oauth2-proxy": Preset(
            path="/oauth2/callback",
            is_tested=True,
            configuration=OAUTH2_PROXY,
            where="oauth2-proxy.cfg",
            defaults={"scope": "openid profile groups"},
        ),
        "apache": Preset(
            path="/oidc/callback",
            is_tested=True,
            configuration=APACHE,
            where="the virtual host, with mod_auth_openidc",
        ),
        "miniflux": Preset(
            path="/oauth2/oidc/callback",
            is_tested=True,
            configuration=MINIFLUX,
            where="miniflux.conf",
        ),
        "jupyterhub": Preset(
            path="/hub/oauth_callback",
            is_tested=True,
            configuration=JUPYTERHUB,
            where="jupyterhub_config.py, with oauthenticator",
        ),
        "grafana": Preset(
            path="/login/generic_oauth",
            configuration=GRAFANA,
            where="grafana.ini",
        ),
        # Sends no PKCE challenge for OpenID Connect.
        "gitea": Preset(
            path="/user/oauth2/latchkey/callback",
            configuration=GITEA,
            where="the command line of Gitea",
            defaults={"pkce": "optional"},
        ),
        "generic": Preset(
            path="", is_tested=True, configuration=GENERIC, where="the app"
        ),
    }
)
"""Every preset by its name; `generic` takes the URL itself for the redirect URI."""

NAMES: Final[Sequence[str]] = tuple(PRESETS)
