"""An app that runs, and a person in front of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from playwright.sync_api import Response

from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor

from .place import App, Place

READERS = "readers"
"""The group that may use the apps."""

NOTICED_WITHIN = 15.0
"""Seconds: a policy holds on every node within 10, and at the next refresh."""


@dataclass(frozen=True)
class Running:
    """One app at its place, registered with the service."""

    app: App
    place: Place
    lab: Laboratory

    @property
    def name(self) -> str:
        """What the client is called."""
        return self.app.name

    def opens(self, visitor: Visitor, path: str) -> Response | None:
        """Open a page of the app."""
        return visitor.page.goto(self.place.url + path)

    def is_reached(self, visitor: Visitor) -> str:
        """Wait until the browser is at the app; return the username that it shows."""
        visitor.page.wait_for_url(f"{self.place.url}/**")
        return self.app.who(visitor.page)

    def turns_away(self, visitor: Visitor, username: str) -> bool:
        """Open the page that refreshes until it no longer knows the person."""
        deadline = time.monotonic() + NOTICED_WITHIN
        while time.monotonic() < deadline:
            self.opens(visitor, self.app.again or self.app.entrance)
            is_ours = visitor.page.url.startswith(self.lab.service.url)
            if is_ours or username not in visitor.page.content():
                return True
            visitor.page.wait_for_timeout(1_100)
        return False


def register(lab: Laboratory, app: App, url: str) -> str:
    """Register an app as an operator does; return the text to paste."""
    at = url + ("/callback" if app.preset == "generic" else "")
    added = lab.service.command(
        *("clients", "add", app.name, "--preset", app.preset),
        *("--url", at, "--allow", f"group:{READERS}"),
    )
    lab.secrets.add(added["client_secret"])
    configuration: str = added["configuration"]
    return configuration


def allow(visitor: Visitor) -> None:
    """Press the button of the consent page."""
    visitor.page.locator("button[name=decision][value=allow]").click()
