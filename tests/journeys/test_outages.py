"""Real faults of the database and its disk under a running service.

A full disk, a read-only one, damaged pages, a deleted file, PostgreSQL that is stopped
or killed, another SECRET_KEY. Each time: what needs no write goes on, the rest is an
honest 503 with one line in the log, `doctor` names it, and it works again afterwards.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.config import Settings
from app.doctor.examination import Doctor
from app.factory.container import open_parts
from app.factory.operator.doctor import deployment_of
from app.stores.sql.bounded import BoundedConnection
from tests.fakes.app import App
from tests.fakes.browser import AtHost, Browser
from tests.service import Service, close, database_of, outside_of, production
from tests.stores.cluster import postgresql, processes_of, stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.world import World

pytestmark = pytest.mark.process

ALICE = "alice.skyhost.social"
DOCUMENTS = ["/oauth-client-metadata.json", "/.well-known/jwks.json"]
SMALL = "3M"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB with its own end; skips where mounting is not allowed."""
    folder = tmp_path / "volume"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={SMALL}", "none", folder)
    yield folder
    for _ in range(2):  # a read-only layer may lie above
        subprocess.run(["umount", "-l", folder], check=False, capture_output=True)


def mount(*arguments: object) -> None:
    done = subprocess.run(
        ["mount", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


@pytest.fixture
def on_disk(
    open_service: Callable[..., Service], disk: Path, tmp_path: Path
) -> Service:
    """A service whose database is alone on a small disk."""
    first = open_service()
    path = Path(first.settings.database_url.removeprefix("sqlite:///"))
    shutil.copy(path, disk / "latchkey.db")
    return open_service(database_url=f"sqlite:///{disk}/latchkey.db")


def fill(folder: Path) -> Path:
    """Use up the rest of a disk."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def token_of(browser: Browser) -> str:
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    return cookie.value


def verify(service: Service, token: str) -> int:
    return service.get("/auth/verify", Cookie=f"platform_token={token}").status


def findings(service: Service, world: World, *checks: str) -> set[str]:
    """Return the checks of doctor, among those named, that find something."""
    parts = open_parts(service.settings, outside_of(world, service.settings))
    deployment = deployment_of(parts)
    examination = Doctor(deployment=lambda: deployment)
    only = {name: examination.checks[name] for name in checks}
    examined = Doctor(deployment=lambda: deployment, checks=only).examine(offline=False)
    parts.stores.database.close()
    return {each.check for each in examined if each.findings}


def trouble(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the records at ERROR, of which none may have a traceback."""
    records = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert [one.getMessage() for one in caplog.records if one.exc_info] == []
    return records


def assert_login_fails_honestly(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """One 503 with Retry-After, and one line for it."""
    caplog.clear()
    page = service.browser().opens_login().tries(ALICE)

    assert not isinstance(page, AtHost)
    assert (page.status, page.error) == (503, "service_unavailable")
    assert page.headers["Retry-After"] == "10"
    assert len(trouble(caplog)) == 1


def assert_reading_goes_on(service: Service, token: str) -> None:
    for path in DOCUMENTS:
        assert service.get(path).status == 200
    assert verify(service, token) == 200


def states(service: Service, world: World) -> dict[str, str]:
    world.clock.advance(1)
    answer = service.get("/readyz")
    parts: dict[str, str] = answer.json()["checks"]
    is_ready = set(parts.values()) == {"ok"}
    assert answer.status == (200 if is_ready else 503)
    assert ("Retry-After" in answer.headers) is not is_ready
    return parts


def test_full_disk(
    on_disk: Service, disk: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    alice = on_disk.browser()
    alice.signs_in(ALICE, username="alice")
    token = token_of(alice)
    filler = fill(disk)

    assert states(on_disk, world)["space"] == "failing"
    assert_login_fails_honestly(on_disk, caplog)
    # Ten minutes later the use of the session should be noted, which fails no request.
    world.clock.advance(700)
    assert_reading_goes_on(on_disk, token)
    assert alice.visits("/auth/account").status == 200
    assert alice.visits("/auth/session").status == 200
    assert {"disk"} <= findings(on_disk, world, "disk", "database")
    left = alice.signs_out()
    assert left.status == 503
    assert alice.jar.get("platform_token") is None

    filler.unlink()

    assert states(on_disk, world)["database"] == "ok"
    assert on_disk.browser().signs_in(ALICE).status == 200


def test_read_only_disk(
    on_disk: Service, disk: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    alice = on_disk.browser()
    alice.signs_in(ALICE, username="alice")
    token = token_of(alice)
    assert verify(on_disk, token) == 200
    database_of(on_disk.app).close()
    mount("--bind", disk, disk)
    mount("-o", "remount,bind,ro", disk)

    assert states(on_disk, world)["database"] == "failing"
    assert_login_fails_honestly(on_disk, caplog)
    assert_reading_goes_on(on_disk, token)
    assert "database" in findings(on_disk, world, "database", "permissions")

    database_of(on_disk.app).close()
    subprocess.run(["umount", "-l", disk], check=True)

    assert states(on_disk, world)["database"] == "ok"
    assert alice.visits("/auth/session").status == 200


def test_deleted_database(
    on_disk: Service, disk: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    alice = on_disk.browser()
    alice.signs_in(ALICE, username="alice")
    token = token_of(alice)
    assert verify(on_disk, token) == 200
    waiting = App(on_disk).starts(ALICE)
    for file in disk.glob("latchkey.db*"):
        file.unlink()

    answer = waiting.asks()
    assert (answer.status, answer.json()["error"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"] == "10"
    parts = states(on_disk, world)
    assert (parts["database"], parts["schema"]) == ("failing", "failing")
    assert_login_fails_honestly(on_disk, caplog)
    assert_reading_goes_on(on_disk, token)
    assert findings(on_disk, world, "database", "schema") == {"database", "schema"}
    assert list(disk.glob("latchkey.db")) == []


def test_damaged_pages(
    on_disk: Service, disk: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    alice = on_disk.browser()
    alice.signs_in(ALICE, username="alice")
    database = database_of(on_disk.app)
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with (disk / "latchkey.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(60 * 4096))

    caplog.clear()
    answer = on_disk.get("/auth/session", Authorization=f"Bearer {token_of(alice)}")

    assert answer.status == 503
    (line,) = trouble(caplog)
    assert "malformed" in line.getMessage()
    assert findings(on_disk, world, "database") == {"database"}


def test_another_secret_key(
    on_disk: Service,
    open_service: Callable[..., Service],
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = open_service(
        database_url=on_disk.settings.database_url, secret_key=bytes(32)
    )

    assert states(other, world)["keys"] == "failing"
    assert "not among the secret keys" in caplog.text
    assert_login_fails_honestly(other, caplog)
    assert findings(other, world, "keys") == {"keys"}


# --- PostgreSQL -----------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
def on_postgres(cluster: str, world: World, tmp_path: Path) -> Iterator[Service]:
    """A service on a server of its own."""
    settings = Settings(**{**production(tmp_path / "none"), "database_url": cluster})
    service = Service(world, settings)
    made = service.app.test_cli_runner().invoke(args=["init"])
    assert made.exit_code == 0, made.output
    world.clock.advance(20)
    yield service
    close(service.app)


def test_stopped_postgresql(
    on_postgres: Service,
    cluster: str,
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BoundedConnection, "wait_limit", 0.5)
    alice = on_postgres.browser()
    alice.signs_in(ALICE, username="alice")
    token = token_of(alice)
    assert verify(on_postgres, token) == 200

    with stopped(cluster):
        assert states(on_postgres, world)["database"] == "failing"
        assert_reading_goes_on(on_postgres, token)
        caplog.clear()
        assert alice.visits("/auth/session").status == 503
        assert len(trouble(caplog)) == 1

    assert set(states(on_postgres, world).values()) == {"ok"}
    assert alice.visits("/auth/session").status == 200


def test_killed_postgresql(
    on_postgres: Service, cluster: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    alice = on_postgres.browser()
    alice.signs_in(ALICE, username="alice")
    token = token_of(alice)
    assert verify(on_postgres, token) == 200
    for pid in processes_of(cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    assert states(on_postgres, world)["database"] == "failing"
    assert_login_fails_honestly(on_postgres, caplog)
    assert_reading_goes_on(on_postgres, token)
    assert alice.signs_out().status == 503
    assert alice.jar.get("platform_token") is None
    assert findings(on_postgres, world, "database") == {"database"}
