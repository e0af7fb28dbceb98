"""oauth2-proxy in front of a service that says which headers it was sent."""

from __future__ import annotations

from typing import ClassVar

from playwright.sync_api import Page

from .place import BINARIES, Place
from .relying import body_of


class Oauth2Proxy:
    """The proxy, which refreshes at each request that is a second apart."""

    name: ClassVar[str] = "oauth2-proxy"
    preset: ClassVar[str] = "oauth2-proxy"
    entrance: ClassVar[str] = "/"
    again: ClassVar[str | None] = "/again"

    def __init__(self, backend: int) -> None:
        self._backend = backend

    def start(self, place: Place, configuration: str) -> None:
        """Run it with the printed file, to which every operator adds two lines."""
        period = 'cookie_refresh = "10m"'
        assert period in configuration
        text = configuration.replace(period, 'cookie_refresh = "1s"')
        own = (
            f'http_address = "127.0.0.1:{place.port}"\n'
            f'upstreams = ["http://127.0.0.1:{self._backend}"]\n'
        )
        file = place.write("oauth2-proxy.cfg", text + own)
        place.run([BINARIES / "oauth2-proxy", "--config", file])

    def who(self, page: Page) -> str:
        """Return the header that the service behind it reads."""
        headers = dict(body_of(page)["headers"])
        assert headers["x-forwarded-groups"], "the group of the test"
        return str(headers["x-forwarded-preferred-username"])
