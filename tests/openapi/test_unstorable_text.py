"""Text that a database cannot store: NUL in PostgreSQL, a lone surrogate in SQLite.

Every parameter, form field and JSON member of docs/openapi.yaml is sent with each.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from app.config import Settings
from tests.fakes.relying_party import RelyingParty
from tests.openapi.document import Operation, operations, resolved
from tests.service import HOME, Service, close, database_of, production
from tests.signed import signs_in
from tests.stores.cluster import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.world import World

pytestmark = pytest.mark.process

OURS = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
OF_A_CLIENT = {"client_id": "app", "grant_type": "refresh_token", "token": "none"}
UNSTORABLE = ("a\x00b", "a\ud800b")


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    """A platform on PostgreSQL, without bounds of rates that come first."""
    with postgresql() as url:
        settings = {**production(tmp_path / "none"), "database_url": url}
        settings |= {
            "rate_limit_authorize_per_address": "100000/minute",
            "rate_limit_client_failures_per_address": "100000/minute",
            "rate_limit_failed_tokens_per_address": "100000/minute",
        }
        running = Service(world, Settings(**settings))
        made = running.app.test_cli_runner().invoke(args=["init"])
        assert made.exit_code == 0, made.output
        yield running
        close(running.app)


def requests(one: Operation, value: str) -> Iterator[tuple[str, str, bytes, str]]:
    """Yield name, path with query, body and media type, one field odd in each."""
    odd = quote(value, errors="surrogatepass")
    for each in one.parameters:
        name = each["name"]
        if each["in"] == "path":
            yield name, one.path.replace(f"{{{name}}}", odd), b"", ""
        if each["in"] == "query":
            yield name, f"{one.path}?{name}={odd}", b"", ""
    content = resolved(one.content.get("requestBody", {})).get("content", {})
    for media_type, body in content.items():
        for name in fields(body.get("schema", {})):
            if media_type == FORM:
                filled = (OF_A_CLIENT if "/oauth/" in one.path else {}) | {name: value}
                sent = urlencode(filled, errors="surrogatepass").encode()
            else:
                sent = json.dumps({name: value}).encode()
            yield name, one.path, sent, media_type


def fields(schema: dict[str, Any]) -> set[str]:
    schema = dict(resolved(schema))
    found = set(schema.get("properties", {}))
    for part in (*schema.get("oneOf", ()), *schema.get("allOf", ())):
        found |= fields(part)
    return found


def sends(
    service: Service, one: Operation, path: str, *, cookie: str, body: bytes, kind: str
) -> int:
    """Send a request as a page of ours does; return its status."""
    with database_of(service.app).write() as connection:  # some of them sign out
        connection.exec_driver_sql("UPDATE sessions SET ended_at = NULL")
    answer = service.app.test_client(use_cookies=False).open(
        path,
        method=one.method.upper(),
        data=body,
        headers={**OURS, "Cookie": cookie, "Content-Type": kind},
        base_url=HOME,
    )
    return answer.status_code


def test_text_that_no_database_stores_is_refused_and_breaks_nothing(service: Service):
    browser = signs_in(
        service, service.browser(), "alice.skyhost.social", username="alice"
    )
    RelyingParty.registered(service, "--public")
    cookie = browser.jar.header(HOME, method="GET", cross_site=False)
    broken = [
        (str(one), name, value)
        for one in operations()
        for value in UNSTORABLE
        for name, path, body, kind in requests(one, value)
        if sends(service, one, path, cookie=cookie, body=body, kind=kind) >= 500
    ]
    assert broken == []
    [remove] = [one for one in operations() if one.path == "/auth/account/apps"]
    body = b"client=a%00b"
    assert sends(service, remove, remove.path, cookie=cookie, body=body, kind=FORM) == (
        400
    )
