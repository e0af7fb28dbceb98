"""Logins that are under way while release 0.1.0 is replaced by this one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.config import Settings
from app.stores.encryption import Cipher, aad_of
from app.stores.migrations.versions import v0_1_0
from tests.fakes.browser import AtHost
from tests.fakes.world import World
from tests.service import SECRET_KEY, Service, close, production

ALICE = "alice.skyhost.social"
SERVER_FIELDS = {
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "par_endpoint",
    "revocation_endpoint",
    "prompts",
    "protected_resources",
}
"""What release 0.1.0 keeps of a server; it fails on any other field."""

SECRETS = {"code_verifier", "dpop_key", "as_nonce", "app_state"}


@pytest.fixture
def at_host(service: Service) -> AtHost:
    """A person on the page of their host."""
    return service.browser().opens_login().types(ALICE)


@pytest.fixture
def upgraded(service: Service, world: World, tmp_path: Path) -> Iterator[Service]:
    """A service whose database was made and filled by release 0.1.0, and migrated."""
    path = tmp_path / "latchkey.db"
    old = Path(service.settings.database_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(old)) as source, closing(sqlite3.connect(path)) as to:
        to.executescript(v0_1_0.SCHEMA.read_text())
        for table in ("signing_keys", "oauth_auth_requests"):
            copy(table, source, to)
    path.chmod(0o600)
    opened = Service(world, Settings(**production(path)))
    result = opened.app.test_cli_runner().invoke(args=["upgrade", "--json"])
    assert json.loads(result.stdout)["before"] == "0.1.0", result.output
    world.clock.advance(20)
    yield opened
    close(opened.app)


def copy(table: str, source: sqlite3.Connection, to: sqlite3.Connection) -> None:
    """Copy the columns of release 0.1.0."""
    columns = [row[1] for row in to.execute(f"PRAGMA table_info({table})")]
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    rows = source.execute(f"SELECT {names} FROM {table}").fetchall()  # noqa: S608
    assert rows
    to.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)  # noqa: S608
    to.commit()


def test_login_begun_in_release_0_1_0_is_finished_after_the_upgrade(
    at_host: AtHost, upgraded: Service
) -> None:
    page = at_host.approves()

    assert not isinstance(page, AtHost)
    page.chooses("alice")
    assert page.browser.is_signed_in()
    assert upgraded.rows("SELECT username FROM users") == [("alice",)]


def test_login_begun_in_this_release_is_kept_as_release_0_1_0_keeps_it(
    at_host: AtHost, service: Service
) -> None:
    """While nodes are upgraded, and after a way back, 0.1.0 finishes it."""
    statement = "SELECT state_hash, server, secrets FROM oauth_auth_requests"
    [(state_hash, server, encrypted)] = service.rows(statement)

    assert set(json.loads(server)) == SERVER_FIELDS
    place = aad_of("oauth_auth_requests", state_hash)
    secrets = json.loads(Cipher(SECRET_KEY).decrypt(encrypted, aad=place))
    assert set(secrets) == SECRETS
    assert set(json.loads(secrets["app_state"])) == {"identifier"}
    cached = service.rows("SELECT key FROM cache_entries WHERE key LIKE 'document:%'")
    assert cached == [], "0.1.0 keeps something else by these keys"
