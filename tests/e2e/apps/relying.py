"""Small relying parties on three libraries; each shows its claims as JSON.

`/` signs in, `/refresh` refreshes. They read the text of the preset `generic`.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from playwright.sync_api import Page

from tests.lab import sample
from tests.lab.network import NODE

from .place import BINARIES, HERE, PYTHON, Place


class Relying:
    """What the three have in common."""

    preset: ClassVar[str] = "generic"
    entrance: ClassVar[str] = "/"
    again: ClassVar[str | None] = "/refresh"

    def who(self, page: Page) -> str:
        """Return preferred_username, which id_token and userinfo agree on."""
        told = body_of(page)
        claims, userinfo = told["claims"], told["userinfo"]
        shared = ("sub", "preferred_username")
        assert [claims[name] for name in shared] == [userinfo[name] for name in shared]
        return str(userinfo["preferred_username"])

    def _settings(self, place: Place, configuration: str) -> dict[str, str]:
        return {**sample.variables(configuration), "PORT": str(place.port)}


class OpenidClient(Relying):
    """npm `openid-client`: pushed request, client_secret_post."""

    name: ClassVar[str] = "openid-client"

    def start(self, place: Place, configuration: str) -> None:
        """Run the program beside this file."""
        program = HERE / "openid_client.mjs"
        place.run([NODE, program], environment=self._settings(place, configuration))


class GoOidc(Relying):
    """`coreos/go-oidc` and `golang.org/x/oauth2`: client_secret_basic."""

    name: ClassVar[str] = "go-oidc"

    def start(self, place: Place, configuration: str) -> None:
        """Run the program of `go/relying`."""
        settings = self._settings(place, configuration)
        place.run([BINARIES / "relying"], environment=settings)


class Authlib(Relying):
    """Authlib's client for Flask, as docs/apps.md prints it."""

    name: ClassVar[str] = "authlib"

    def start(self, place: Place, configuration: str) -> None:
        """Run the program of the page."""
        sample.written(place.folder)
        settings = self._settings(place, configuration)
        place.run([PYTHON, *sample.serve(place.port)], environment=settings)


def body_of(page: Page) -> dict[str, Any]:
    """Return the JSON that a page shows."""
    page.wait_for_load_state()
    body: dict[str, Any] = json.loads(page.locator("pre").first.inner_text())
    return body
