"""SECURITY.md, "The password of the database or of Redis": changed on real servers.

A password is asked for when a connection is opened: what is open goes on, the old
password opens nothing any more, and a restart with the new one signs no person out.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

from app.config import Settings
from app.flows.errors import StorageUnavailable
from tests.service import Service, close, database_of, production
from tests.stores.cluster import Cluster, cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.world import World

pytestmark = pytest.mark.process

ALICE = "alice.skyhost.social"
STARTS_WITHIN = 30.0


@pytest.fixture
def postgresql() -> Iterator[Cluster]:
    """A server on which every connection needs the password of its role."""
    with cluster() as running:
        change_password(running.url, "old")
        running.require_password()
        yield running


def with_password(url: str, password: str) -> str:
    changed = make_url(url).set(password=password)
    return changed.render_as_string(hide_password=False)


def change_password(url: str, password: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(f"ALTER ROLE latchkey PASSWORD '{password}'"))
    engine.dispose()


@pytest.fixture
def start(world: World, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start the service with other settings than usual, as a restart does."""
    started: list[Service] = []

    def start_one(**changes: str) -> Service:
        settings = Settings(**{**production(tmp_path / "latchkey.db"), **changes})
        started.append(Service(world, settings))
        return started[-1]

    yield start_one
    for service in started:
        close(service.app)


def test_changed_password_of_postgresql_signs_no_person_out(
    postgresql: Cluster, start: Callable[..., Service], world: World
) -> None:
    old, new = (with_password(postgresql.url, one) for one in ("old", "new"))
    running = start(database_url=old)
    assert running.app.test_cli_runner().invoke(args=["init"]).exit_code == 0
    world.clock.advance(20)
    alice = running.browser()
    alice.signs_in(ALICE, username="alice")

    change_password(old, "new")

    assert alice.visits("/auth/session").status == 200, "over an open connection"
    with pytest.raises(StorageUnavailable, match="password authentication failed"):
        database_of(start(database_url=old).app).require_schema()
    restarted = start(database_url=new)
    world.clock.advance(20)
    assert alice.visits("/auth/session").status == 200
    listed = restarted.app.test_cli_runner().invoke(args=["users", "list", "--json"])
    assert '"username": "alice"' in listed.stdout


@pytest.fixture
def redis_socket() -> Iterator[Path]:
    """A Redis on a socket in a folder of its own, with the password `old`."""
    pytest.importorskip("redis")
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("this machine has no redis-server")
    folder = Path(tempfile.mkdtemp(prefix="latchkey-redis-"))  # a short path
    path = folder / "socket"
    options = ["--port", "0", "--unixsocket", path, "--requirepass", "old"]
    server = subprocess.Popen(
        [program, *options, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not path.exists():
            assert time.monotonic() < deadline
            assert server.poll() is None
            time.sleep(0.05)
        yield path
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def test_changed_password_of_redis_refuses_no_sign_in(
    redis_socket: Path,
    open_service: Callable[..., Service],
    caplog: pytest.LogCaptureFixture,
) -> None:
    import redis  # noqa: PLC0415 # a package that a node may lack

    old, new = (f"redis+unix://:{word}@{redis_socket}" for word in ("old", "new"))
    running = open_service(rate_limit_storage=old)
    running.browser().signs_in(ALICE, username="alice")
    admin = redis.Redis(unix_socket_path=str(redis_socket), password="old")
    assert admin.dbsize() > 0, "the sign-in is counted there"

    admin.config_set("requirepass", "new")
    admin.flushall()
    running.browser().signs_in(ALICE)
    assert admin.dbsize() > 0, "over an open connection"

    admin.flushall()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        open_service(rate_limit_storage=old).browser().signs_in(ALICE, username="al")
    assert "rate limits are not shared" in caplog.text
    assert admin.dbsize() == 0, "this process counts alone"

    open_service(rate_limit_storage=new).browser().signs_in(ALICE, username="al")
    assert admin.dbsize() > 0
    admin.close()
