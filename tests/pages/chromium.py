"""A real Chromium in front of the previewed pages, without any socket.

Each request of the browser is answered in this process by Flask's test client, so the
tests need no port and no page can reach another host.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Route, sync_playwright

ORIGIN = "https://login.meadow.example"
EXECUTABLE = shutil.which("chromium")
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


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
        yield browser
        browser.close()


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
        reply = client.open(
            url.path,
            method=route.request.method,
            query_string=url.query,
            data=route.request.post_data_buffer,
            headers={"Content-Type": route.request.headers.get("content-type", "")},
        )
        route.fulfill(
            status=reply.status_code, headers=dict(reply.headers), body=reply.data
        )

    context.route("**/*", answer)
    yield context
    context.close()
