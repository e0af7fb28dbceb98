"""miniflux, a feed reader, on a PostgreSQL of these tests."""

from __future__ import annotations

from typing import ClassVar

from playwright.sync_api import Page
from sqlalchemy import make_url

from .place import BINARIES, Place


class Miniflux:
    """The reader; it keeps a session of its own and no refresh token."""

    name: ClassVar[str] = "miniflux"
    preset: ClassVar[str] = "miniflux"
    entrance: ClassVar[str] = "/oauth2/oidc/redirect"
    again: ClassVar[str | None] = None

    def __init__(self, database_url: str) -> None:
        self._database = make_url(database_url)

    def start(self, place: Place, configuration: str) -> None:
        """Run it with the printed file and its database."""
        own = (
            f"LISTEN_ADDR=127.0.0.1:{place.port}\nBASE_URL={place.url}\n"
            f"DATABASE_URL={self._dsn()}\nRUN_MIGRATIONS=1\nDISABLE_SCHEDULER_SERVICE=1\n"
        )
        file = place.write("miniflux.conf", configuration + own)
        place.run([BINARIES / "miniflux.app", "-config-file", file])

    def who(self, page: Page) -> str:
        """Return the name that its button to sign out has as a title."""
        page.wait_for_url("**/unread")
        title = page.locator(".logout-button").first.get_attribute("title") or ""
        return title.rpartition(" ")[2]

    def _dsn(self) -> str:
        url = self._database
        return f"user={url.username} dbname={url.database} host={url.query['host']}"
