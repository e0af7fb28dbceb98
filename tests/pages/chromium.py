"""A real Chromium in front of the previewed pages, without any socket.

Each request of the browser is answered in this process by Flask's test client, so the
tests need no port and no page can reach another host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Playwright, Route

ORIGIN = "https://login.meadow.example"
EXECUTABLE = "/usr/bin/chromium"
REFRESH = b'<meta http-equiv="refresh"'
"""Opens an app, whose address takes the keyboard away from the page that is tested."""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)


@contextmanager
def visitor(browser: Browser, app: Flask, **options: Any) -> Iterator[BrowserContext]:
    """A browser profile that sees `app` at ORIGIN and no other host at all."""
    context = browser.new_context(**options)
    client = app.test_client()

    def answer(route: Route) -> None:
        url = urlsplit(route.request.url)
        if f"{url.scheme}://{url.netloc}" != ORIGIN:
            route.abort("addressunreachable")
            return
        with client.open(
            url.path,
            method=route.request.method,
            query_string=url.query,
            data=route.request.post_data_buffer,
            headers={"Content-Type": route.request.headers.get("content-type", "")},
        ) as reply:
            status, headers = reply.status_code, dict(reply.headers)
            body = reply.data.replace(REFRESH, b"<meta")
        route.fulfill(status=status, headers=headers, body=body)

    context.route("**/*", answer)
    yield context
    context.close()
