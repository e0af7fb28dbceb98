"""From release 0.1.0 to this one, back, and onto a backup, with a person signed in."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator

import pytest

from app.stores.sql.versions import CURRENT
from tests.deploy.deployment import Deployment, deployed
from tests.deploy.playbook import BACKUPS
from tests.deploy.test_operation import recipe
from tests.deploy.visitor import start_visitor, stop_visitor

FIRST = "6b319e8"
"""The commit of release 0.1.0."""

SECRET = "the-secret-in-the-cookie-of-the-session-of-alice"
# What a sign-in leaves behind, on the columns of release 0.1.0.
SIGN_IN = """
import sqlite3, sys, time
connection = sqlite3.connect("/var/lib/latchkey/latchkey.db")
now = int(time.time())
connection.execute(
    "INSERT INTO users (did, username, skeleton, handle_checked_at, created_at)"
    " VALUES (?, ?, ?, ?, ?)",
    ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", "alice-of-old", "allce-of-old", now, now),
)
connection.execute(
    "INSERT INTO sessions (sid, secret_hash, did, device, created_at, seen_at,"
    " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ("sid-of-alice", sys.argv[1],
     "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "a device", now, now, now + 86400),
)
connection.commit()
"""

SET_VERSION = """
import sqlite3, sys
connection = sqlite3.connect("/var/lib/latchkey/latchkey.db")
connection.execute("UPDATE alembic_version SET version_num = ?", (sys.argv[1],))
connection.execute("UPDATE schema_support SET oldest_release = ?", (sys.argv[2],))
connection.commit()
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A machine that the playbook of 0.1.0 has made, where a person is signed in."""
    workplace = tmp_path_factory.mktemp("releases")
    with deployed(workplace, version=FIRST, name="root-releases") as deployment:
        secret_hash = hashlib.sha256(SECRET.encode()).hexdigest()
        deployment.machine.run(f"python3 -c {shlex.quote(SIGN_IN)} {secret_hash}")
        assert is_signed_in(deployment)
        yield deployment


def serve_this(deployment: Deployment) -> None:
    """Have this release serve, if it does not."""
    if deployment.running_release() != deployment.playbook.release():
        run = deployment.playbook.run()
        assert run.succeeded, run.output


def is_signed_in(deployment: Deployment) -> bool:
    """Tell whether the cookie of the person opens the account page."""
    cookie = f"__Host-latchkey-session={SECRET}"
    answer = deployment.public("/auth/account", "--cookie", cookie)
    return answer.status == 200 and "alice-of-old" in answer.body


def leave_half_an_environment(deployment: Deployment) -> None:
    """Leave what a run leaves that ends while it installs this release's packages."""
    locked = (deployment.playbook.source / "requirements.txt").read_bytes()
    python = deployment.machine.output("ls -d /usr/lib/python3.[0-9]*").split("/")[-1]
    environment = f"{hashlib.sha256(locked).hexdigest()}-{python}"
    half = f"/opt/latchkey/environments/{environment}/lib"
    deployment.machine.run(
        f"mkdir -p {half} && touch {half}/left-by-an-interrupted-run"
    )


def schema_of(deployment: Deployment) -> dict[str, str]:
    return json.loads(deployment.machine.output("latchkey version --json"))


def test_upgrade_from_release_0_1_0_keeps_people_signed_in(old: Deployment):
    keys = old.public("/.well-known/jwks.json").json()
    leave_half_an_environment(old)
    start_visitor(old.machine)

    run = old.playbook.run()

    answers = stop_visitor(old.machine)
    assert run.succeeded, run.output
    assert set(answers) == {"200"}
    assert schema_of(old)["schema"] == CURRENT
    assert is_signed_in(old)
    assert old.public("/.well-known/jwks.json").json() == keys
    left = "/opt/latchkey/current/venv/lib/left-by-an-interrupted-run"
    assert old.machine.run(f"test -e {left}", check=False).returncode == 1


def test_schema_was_backed_up_before_it_changed(old: Deployment):
    serve_this(old)

    manifest = f"cat {BACKUPS}/latchkey-*/manifest.json"
    assert json.loads(old.machine.output(manifest))["schema"] == "0.1.0"


def test_rollback_to_release_0_1_0_keeps_people_signed_in(old: Deployment):
    serve_this(old)

    back = old.playbook.run(version=FIRST)

    assert back.succeeded, back.output
    assert is_signed_in(old)
    assert "version" not in old.direct("/healthz").json()
    serve_this(old)
    assert is_signed_in(old)


def test_service_on_a_newer_schema_does_not_start_and_says_so(old: Deployment):
    serve_this(old)
    set_version(old, "9.0.0", "9.0.0")
    old.machine.run("systemctl restart latchkey.service", check=False)
    log = old.machine.output("journalctl -u latchkey -n 20 -o cat")
    state = old.machine.show("latchkey.service", "ActiveState")
    set_version(old, CURRENT, "0.1.0")
    old.machine.run("systemctl reset-failed latchkey.service")
    old.machine.run("systemctl restart latchkey.socket latchkey.service")

    assert "does not know the schema of release 9.0.0" in log
    assert state != "active"
    assert is_signed_in(old)


def test_restore_recipe_brings_back_people_who_are_signed_in(old: Deployment):
    serve_this(old)
    old.machine.run(recipe("back-up"))
    newest = old.machine.output(f"ls {BACKUPS} | tail -n 1")

    old.machine.run(recipe("restore").replace("FOLDER", newest))

    assert is_signed_in(old)
    moved = old.machine.output("ls /root/latchkey-before")
    assert "latchkey.db" in moved.split()


def set_version(deployment: Deployment, version: str, oldest: str) -> None:
    """Let the database say that another release has migrated it."""
    program = f"python3 -c {shlex.quote(SET_VERSION)} {version} {oldest}"
    deployment.machine.run(program)
