"""`doctor`: faults planted one at a time; each is named, and none where none is."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from app.atproto.errors import HostUnreachable
from app.doctor.examination import INSIDE, OUTSIDE
from app.flows.errors import StorageUnavailable
from app.stores.encryption import Cipher
from app.stores.keys import SqlSigningKeys
from app.stores.sql.health import require_space
from tests.doctor.scene import DAY, HOST, SIBLING, Dated, Proxy, Scene, open_scene
from tests.fakes import faults
from tests.fakes.world import PLC
from tests.service import HOME, database_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.world import World
    from tests.service import Service

METADATA = f"{HOME}/oauth-client-metadata.json"
JWKS = f"{HOME}/.well-known/jwks.json"
HEALTH = f"{HOME}/healthz"

Fault = tuple[str, str, "Callable[[Scene], object]"]


def lays(url: str, fault: faults.Fault) -> Callable[[Scene], object]:
    return lambda scene: scene.world.network.lay(url, fault)


def changes(**changed: object) -> Callable[[Scene], object]:
    return lambda scene: scene.changed(**changed)


def row(statement: str, *values: object) -> Callable[[Scene], object]:
    return lambda scene: scene.service.rows(statement, *values)


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **_options: object) -> None:
        raise error

    return fail


def corrupt(scene: Scene) -> None:
    """Overwrite the pages behind the first, as a failing disk does."""
    with database_of(scene.service.app).read() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with scene.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(20 * 4096))


def overwrite_header(scene: Scene) -> None:
    """Overwrite all of the file, so that not even its header is SQLite's."""
    with database_of(scene.service.app).read() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = scene.database.stat().st_size
    with scene.database.open("r+b") as file:
        file.write(os.urandom(size))


def another_secret_key(scene: Scene) -> None:
    database = database_of(scene.service.app)
    scene.changed(keys=SqlSigningKeys(database, Cipher(bytes(32))))


def full_disk(scene: Scene) -> None:
    full = SimpleNamespace(
        f_bavail=10, f_frsize=4096, f_blocks=10_000, f_files=9, f_favail=9
    )
    scene.files(require_space=lambda path: require_space(path, lambda _path: full))


def secret_file(scene: Scene) -> None:
    path = scene.database.with_name("secret_key")
    path.touch(0o600)
    path.chmod(0o644)
    scene.files(private=[path])


def wrong_clock(scene: Scene) -> None:
    """Two hours: the hosts' Date headers are right, ours is not."""
    behind = scene.world.clock.skewed(7200)
    for host in (PLC, "as.skyhost.social"):
        scene.world.network.serve(host, Dated(scene.world.plc, behind))


def two_proxies(scene: Scene) -> None:
    scene.world.network.serve(HOST, Proxy(Proxy(scene.service.app)))


def no_proxy_header(scene: Scene) -> None:
    """The proxy passes on what clients send, so its last entry is forged."""
    scene.world.network.serve(HOST, scene.service.app)


def silent_dns(scene: Scene) -> None:
    scene.world.dns.fails(f"_atproto.{HOST}", "timed out")


FAULTS: dict[str, Fault] = {
    "metadata: 404": ("metadata", "answers 404", lays(METADATA, faults.missing())),
    "metadata: a login in front": (
        "metadata",
        "redirects with 302",
        lays(METADATA, faults.redirect("https://sso.cafe/")),
    ),
    "metadata: another type": (
        "metadata",
        "the type text/plain",
        lays(METADATA, faults.ChangesHeader("Content-Type", "text/plain")),
    ),
    "metadata: a page": ("metadata", "is no document", lays(METADATA, faults.a_page())),
    "metadata: another client_id": (
        "metadata",
        "client_id in the document is not its URL",
        lays(METADATA, faults.ChangesJSON({"client_id": "https://a.cafe/"})),
    ),
    "metadata: from another deployment": (
        "metadata",
        "is not the document of this deployment",
        lays(METADATA, faults.ChangesJSON({"scope": "atproto transition:generic"})),
    ),
    "metadata: too large": (
        "metadata",
        "longer than 64000 bytes",
        lays(METADATA, faults.Swells(70_000)),
    ),
    "metadata: a private address": (
        "dns",
        "10.0.0.7, which is not public",
        changes(addresses=lambda _host: ["10.0.0.7"]),
    ),
    "metadata: a certificate that does not verify": (
        "metadata",
        "its certificate is refused",
        lambda scene: scene.changed(
            http=SimpleNamespace(
                request=raising(
                    HostUnreachable(HOST, "its certificate is refused: expired")
                )
            )
        ),
    ),
    "metadata: slow": (
        "metadata",
        "took 4.0 s",
        lambda scene: scene.world.network.lay(
            METADATA, faults.Waits(scene.world.clock, 4.0)
        ),
    ),
    "jwks: without the key that signs": (
        "jwks",
        "lacks the key that signs",
        lays(JWKS, faults.ChangesJSON({"keys": []})),
    ),
    "jwks: a private key": (
        "jwks",
        "shows a private key",
        lays(JWKS, faults.ChangesJSON({"keys": [{"kid": "x", "d": "secret"}]})),
    ),
    "certificate: ends soon": (
        "certificate",
        "ends in 3 days",
        lambda scene: scene.changed(
            certificate_end=lambda _host: scene.world.clock() + 3 * DAY
        ),
    ),
    "proxy: one more than is counted": ("proxy", "2 proxies add to", two_proxies),
    "proxy: any client is believed": (
        "proxy",
        "of any client is believed",
        no_proxy_header,
    ),
    "proxy: another deployment answers": (
        "proxy",
        "does not know our probe",
        lays(HEALTH, faults.Says(200, b'{"status": "ok"}')),
    ),
    "cookie: dropped": (
        "cookie",
        "does not arrive",
        lays(HEALTH, faults.ChangesHeader("Set-Cookie")),
    ),
    "cookie: another domain": (
        "cookie",
        "changes a cookie's domain to other.cafe",
        lays(
            HEALTH,
            faults.ChangesHeader(
                "Set-Cookie", "latchkey-doctor=probe; Domain=other.cafe; Secure"
            ),
        ),
    ),
    "service: not running": (
        "service",
        "does not answer at http://127.0.0.1:8000/readyz",
        lambda scene: scene.world.network.unplug("127.0.0.1:8000"),
    ),
    "service: an older release": (
        "service",
        "release 0.0.9 is running",
        lays("http://127.0.0.1:8000/readyz", faults.ChangesJSON({"version": "0.0.9"})),
    ),
    "dns: no name server": ("dns", "no name server answers", silent_dns),
    "dns: no address": (
        "dns",
        "has no address",
        changes(addresses=raising(OSError("Name or service not known"))),
    ),
    "plc: down": (
        "plc",
        "does not answer",
        lambda scene: scene.world.network.unplug(PLC),
    ),
    "clock: two hours behind": ("clock", "7200 s behind those of 2", wrong_clock),
    "siblings: down": (
        "siblings",
        f"{SIBLING} of RETURN_HOSTS",
        lambda scene: scene.world.network.unplug(SIBLING),
    ),
    "database: takes no write": (
        "database",
        "takes no write",
        row("ALTER TABLE cache_entries RENAME TO gone"),
    ),
    "database: damaged pages": ("database", "cannot be read whole", corrupt),
    "database: no database": ("database", "cannot be read whole", overwrite_header),
    "durability: the file is in memory": (
        "durability",
        "is in memory (tmpfs)",
        lambda scene: scene.files(kind_of=lambda _path: "tmpfs"),
    ),
    "durability: the file is on NFS": (
        "durability",
        "network file system (nfs4)",
        lambda scene: scene.files(kind_of=lambda _path: "nfs4"),
    ),
    "schema: of an older release": (
        "schema",
        "run `flask --app wsgi upgrade`",
        row("UPDATE alembic_version SET version_num = '0.1.0'"),
    ),
    "keys: another SECRET_KEY": ("keys", "do not open", another_secret_key),
    "secrets: a lost key": (
        "secrets",
        "4 rows are encrypted under a key that no setting holds",
        changes(sealed_under_lost_keys=lambda: 4),
    ),
    "keys: none that signs": (
        "keys",
        "has no ES256 key that signs",
        row("DELETE FROM signing_keys WHERE ring = 'client'"),
    ),
    "keys: none for id_tokens": (
        "keys",
        "the ring platform has no RS256 key that signs",
        row("DELETE FROM signing_keys WHERE alg = 'RS256'"),
    ),
    "keys: old": (
        "keys",
        "has signed for",
        row("UPDATE signing_keys SET activated_at = 1 WHERE ring = 'client'"),
    ),
    "disk: full": ("disk", "are needed", full_disk),
    "permissions: a secret for all": ("permissions", "has the mode 0644", secret_file),
    "permissions: a directory for all": (
        "permissions",
        "can write to",
        lambda scene: scene.database.parent.chmod(0o777),
    ),
    "rate limits: Redis is down": (
        "rate limits",
        "RATE_LIMIT_STORAGE does not answer: ConnectionError",
        changes(rate_limits=raising(ConnectionError())),
    ),
    "grpc: not running": (
        "grpc",
        "listener does not answer",
        lambda scene: scene.grpc(answer=raising(ConnectionRefusedError("refused"))),
    ),
    "grpc: its certificate ends": (
        "grpc",
        "certificate of gRPC ends in",
        lambda scene: scene.grpc(certificate_end=scene.world.clock),
    ),
    "settings: a warning": (
        "settings",
        "LATCHKEY_FOO",
        changes(warnings=["LATCHKEY_FOO is not a setting"]),
    ),
    "sweep: hours ago": (
        "sweep",
        "ended 5 hours ago",
        row("UPDATE runs SET ended_at = ended_at - 18000 WHERE name = 'sweep'"),
    ),
    "backup: days ago": (
        "backup",
        "made 4 days ago",
        row("UPDATE runs SET ended_at = ended_at - 4 * 86400 WHERE name = 'backup'"),
    ),
    "backup: never": ("backup", "made never", row("DELETE FROM runs")),
    "database clock: off": (
        "database clock",
        "differs from the database's by 60 s",
        lambda scene: scene.changed(
            database=SimpleNamespace(
                check_write=lambda: None,
                quick_check=lambda: None,
                durability=list,
                clock_difference=lambda: 60.0,
            )
        ),
    ),
    "database: down": (
        "database",
        "takes no write: connection refused",
        lambda scene: scene.changed(
            database=SimpleNamespace(
                check_write=raising(StorageUnavailable("connection refused")),
                quick_check=lambda: None,
                durability=list,
                clock_difference=lambda: 0.0,
            )
        ),
    ),
}


@pytest.fixture
def scene(open_service: Callable[..., Service], world: World) -> Iterator[Scene]:
    service = open_service(trusted_proxies=1)
    path = Path(service.settings.database_url.removeprefix("sqlite:///"))
    path.chmod(0o600)
    service.rows("UPDATE signing_keys SET created_at = ?", world.clock() - 9 * DAY)
    service.rows("UPDATE signing_keys SET activated_at = created_at")
    return open_scene(service, world, path)


def test_doctor_of_a_whole_deployment_finds_nothing(scene: Scene) -> None:
    checked = scene.examine()

    assert [each for each in checked if each.findings or each.skipped] == []
    assert {each.check for each in checked} == {*INSIDE, *OUTSIDE}


@pytest.mark.parametrize("name", FAULTS)
def test_doctor_names_a_planted_fault(scene: Scene, name: str) -> None:
    check, words, plant = FAULTS[name]
    plant(scene)
    # Other checks need the database too, so its faults are planted before all of them.
    only = None if name.startswith("database") else check

    results = {each.check: each for each in scene.examine(only=only)}

    found = [finding.what for finding in results[check].findings]
    assert any(words in what for what in found), results[check]
    for each in results.values():
        for finding in each.findings:
            assert finding.why
            assert finding.todo


def test_doctor_of_a_damaged_database_names_no_fault_of_the_schema(
    scene: Scene,
) -> None:
    overwrite_header(scene)

    results = {each.check: each for each in scene.examine()}

    assert results["schema"].skipped
    [finding] = results["database"].findings
    assert "`restore`" in finding.todo


def test_doctor_offline_sends_nothing_to_another_machine(scene: Scene) -> None:
    scene.world.network.forget()
    scene.world.dns.asked.clear()

    checked = scene.examine(offline=True)

    assert {each.check for each in checked} == set(INSIDE)
    assert {sent.host for sent in scene.world.network.sent()} == {"127.0.0.1:8000"}
    assert scene.world.dns.asked == []
