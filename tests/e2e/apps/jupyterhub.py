"""JupyterHub with oauthenticator; no notebook server is started."""

from __future__ import annotations

from typing import ClassVar

from playwright.sync_api import Page

from tests.lab.network import NODE, free_port

from .place import HERE, PYTHON, Place

PROXY = HERE / "node_modules" / "configurable-http-proxy" / "bin"
OWN = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = ["{node}", "{proxy}"]
c.JupyterHub.redirect_to_server = False
"""


class Jupyterhub:
    """The hub, whose home page names the person."""

    name: ClassVar[str] = "jupyterhub"
    preset: ClassVar[str] = "jupyterhub"
    entrance: ClassVar[str] = "/hub/oauth_login"
    again: ClassVar[str | None] = None

    def start(self, place: Place, configuration: str) -> None:
        """Run it with the printed file and ports of its own."""
        own = OWN.format(
            port=place.port,
            hub=free_port(),
            api=free_port(),
            node=NODE,
            proxy=PROXY / "configurable-http-proxy",
        )
        file = place.write("jupyterhub_config.py", configuration + own)
        place.run([PYTHON, "-m", "jupyterhub", "--config", file])

    def who(self, page: Page) -> str:
        """Return the name in the bar of its home page."""
        page.wait_for_url("**/hub/home")
        return page.locator("#login_widget span").inner_text().strip()
