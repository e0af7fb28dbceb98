"""A WSGI application that signs people in by itself: the service and a small internet.

`/sign-in` runs a whole login of a browser and of an app inside the worker that answers,
`/stream` the worker's id; everything else is the service.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.config import Settings
from tests.fakes.app import App, confirms
from tests.fakes.world import World
from tests.service import Service, production

ALICE = "alice.skyhost.social"

given = Settings.from_environment()
world = World()
service = Service(
    world,
    Settings(
        **{
            **production(Path(given.database_url.removeprefix("sqlite:///"))),
            "metrics_bind": given.metrics_bind,
        }
    ),
)


def signs_in() -> None:
    """Sign Alice in, in a browser and in an app, and verify her token."""
    browser = service.browser()
    page = browser.opens_login().types(ALICE).approves()
    if page.url.endswith("/signup"):
        page.chooses("alice")
    browser.visits("/auth/verify", accept="application/json")
    native = App(service).starts(ALICE)
    confirms(service.browser(), native)
    native.token()
    native.acknowledges()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Serve one request."""
    if environ["PATH_INFO"] != "/sign-in":
        return service.app(environ, start_response)
    signs_in()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
