"""What a device is called on the account page."""

from __future__ import annotations

import pytest

from app.web.pages.device_name import name_of
from tests.stores.samples import session

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {CHROME} Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {CHROME} Safari/537.36 Edg/142",
         "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 16) {CHROME} Mobile Safari/537.36",
         "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/19 Safari/605",
         "Safari on a Mac"),
        ("Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) CriOS/142 Safari/604",
         "Chrome on an iPad"),
        ("Safari/605", "Safari"),
        ("curl/8.14", "curl/8.14"),
        ("x" * 300, "x" * 60),
        ("", "An unknown device"),
        ("   ", "An unknown device"),
    ],
)  # fmt: skip
def test_name_of_a_browser_is_browser_and_system(agent: str, name: str) -> None:
    assert name_of(session(device=agent)) == name


def test_name_of_an_app_session_is_the_app_name() -> None:
    assert name_of(session(device="Firefox/140.0", app_name="Sketch")) == "Sketch"
