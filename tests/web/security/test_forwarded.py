"""X-Forwarded-For: which address counts, with or without a port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.web.security.forwarded import Forwarded
from tests.service import HOME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service import Service

PEER = "10.0.0.1"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": HOME}


def address_seen(forwarded: str | None, *, trusted: int) -> str:
    seen = {}

    def app(environ, start_response):
        del start_response
        seen.update(environ)
        return []

    environ = {"REMOTE_ADDR": PEER}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    Forwarded(app, trusted_proxies=trusted)(environ, None)
    return seen["REMOTE_ADDR"]


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        ("203.0.113.9", 1, "203.0.113.9"),
        ("203.0.113.9:50123", 1, "203.0.113.9"),
        ("2001:db8::7", 1, "2001:db8::7"),
        ("[2001:db8::7]", 1, "2001:db8::7"),
        ("[2001:db8::7]:50123", 1, "2001:db8::7"),
        ("203.0.113.1, 203.0.113.9:1", 1, "203.0.113.9"),
        ("203.0.113.1:1, 203.0.113.9", 2, "203.0.113.1"),
        ("203.0.113.9", 2, PEER),
        ("203.0.113.9", 0, PEER),
        ("unknown", 1, PEER),
        ("203.0.113.9:50123:1", 1, PEER),
        ("_hidden:1", 1, PEER),
        ("", 1, PEER),
        (None, 1, PEER),
    ],
)
def test_address_is_the_first_that_a_trusted_proxy_saw(forwarded, trusted, address):
    assert address_seen(forwarded, trusted=trusted) == address


def starts(service: Service, forwarded: str) -> int:
    headers = {
        **FORM,
        "X-Forwarded-For": forwarded,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": HOME.partition("//")[2],
    }
    body = b"identifier=unknown.skyhost.social"
    url = f"{HOME}/auth/login"
    browser = service.browser()
    return browser.requests(
        "POST", url, site="same-origin", body=body, headers=headers
    ).status


@pytest.mark.parametrize(
    "form", ["203.0.113.9", "203.0.113.9:{port}", "[2001:db8::7]:{port}"]
)
def test_login_limit_counts_one_address_for_all_of_its_ports(
    open_service: Callable[..., Service], form: str
) -> None:
    service = open_service(trusted_proxies=1, rate_limit_login_per_address="3/minute")

    answers = [starts(service, form.format(port=50_000 + n)) for n in range(6)]

    assert answers[:3] != [429] * 3
    assert answers[3:] == [429] * 3
