"""Apache with Debian's mod_auth_openidc, before a service that shows its headers."""

from __future__ import annotations

import shutil
from typing import ClassVar

from playwright.sync_api import Page

from .place import Place
from .relying import body_of

MODULES = "/usr/lib/apache2/modules"
LOADED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user"),
    *("proxy", "proxy_http", "auth_openidc"),
)
SERVER = """\
PidFile {folder}/apache.pid
Mutex file:{folder} default
ErrorLog /dev/stderr
User www-data
Group www-data
Listen 127.0.0.1:{port}
ServerName {url}
<VirtualHost 127.0.0.1:{port}>
ServerName {url}
OIDCXForwardedHeaders X-Forwarded-Host X-Forwarded-Proto
OIDCCABundlePath {authority}
{configuration}
ProxyPass "/" "http://127.0.0.1:{backend}/"
</VirtualHost>
"""
"""A server around the printed text; TLS ends at the front door, which it is told."""


class Apache:
    """The server, which refreshes when a token has less than a day to live."""

    name: ClassVar[str] = "apache"
    preset: ClassVar[str] = "apache"
    entrance: ClassVar[str] = "/"
    again: ClassVar[str | None] = "/again"

    def __init__(self, backend: int) -> None:
        self._backend = backend

    def start(self, place: Place, configuration: str) -> None:
        """Run it in the foreground, with the printed text in its virtual host."""
        before = "OIDCRefreshAccessTokenBeforeExpiry 300 "
        assert before in configuration
        often = configuration.replace(before, before.replace("300", "86400"))
        modules = (f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in LOADED)
        text = "".join(modules) + SERVER.format(
            folder=place.folder,
            port=place.port,
            url=place.url,
            authority=shutil.copy(place.ca, place.folder),
            configuration=often,
            backend=self._backend,
        )
        file = place.write("apache.conf", text)
        place.run(["apache2", "-D", "FOREGROUND", "-d", place.folder, "-f", file])

    def who(self, page: Page) -> str:
        """Return the header that the service behind it reads."""
        headers = dict(body_of(page)["headers"])
        return str(headers["oidc_claim_preferred_username"])
