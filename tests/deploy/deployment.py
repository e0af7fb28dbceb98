"""A deployment from nothing: a fresh machine, the committed source, the playbook."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.deploy.debian import make_root
from tests.deploy.machine import Answer, Machine, request
from tests.deploy.playbook import REPOSITORY, Playbook

HOST = "auth.platform.internal"
CACHE = REPOSITORY / "var/deploy"
ACCEPTED = "/etc/latchkey/latchkey.env"


@dataclass(frozen=True)
class Deployment:
    """The machine, the playbook and the settings that its first run put in place."""

    machine: Machine
    playbook: Playbook
    settings: str

    def direct(self, path: str, *options: str) -> Answer:
        """Ask the service itself."""
        return request(self.machine, f"http://127.0.0.1:8000{path}", *options)

    def running_release(self) -> str:
        """Return the name of the release that the first process was started from."""
        process = self.machine.show("latchkey.service", "MainPID")
        return self.machine.output(f"basename $(readlink /proc/{process}/cwd)")

    def public(self, path: str, *options: str) -> Answer:
        """Ask as the world does: through the proxy, over TLS."""
        return request(self.machine, f"https://{HOST}{path}", *options)


@contextmanager
def deployed(
    workplace: Path, *, version: str = "HEAD", name: str = "root"
) -> Iterator[Deployment]:
    """Deploy a version, with its own playbook, to a fresh machine.

    The machine is taken down afterwards, on failure too.
    """
    key = make_ssh_key(workplace)
    with started(workplace, name, key) as machine:
        chosen = {
            "PUBLIC_URL": f"https://{HOST}",
            "PLATFORM_NAME": 'The "Platform" for $5, 100 %',
            "COOKIE_DOMAIN": "platform.internal",
        }
        machines = {"machine-1": machine}
        playbook = Playbook(workplace, machines, checkout(workplace), chosen)
        if version != "HEAD":
            roles = roles_of(version, playbook.source, workplace)
        else:
            roles = playbook.roles
        first = replace(playbook, roles=roles).run(version=version)
        assert first.succeeded, first.output
        settings = machine.output(f"cat {ACCEPTED}")
        yield Deployment(machine, playbook, settings)


@contextmanager
def started(
    workplace: Path, name: str, public_key: str, address: str = ""
) -> Iterator[Machine]:
    """Make a machine, boot it, and remove it afterwards, on failure too."""
    CACHE.mkdir(parents=True, exist_ok=True)
    log = workplace / f"{name}.log"
    machine = Machine(CACHE / name, HOST, log, CACHE / "pip", address)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(machine.root, ignore_errors=True)
        with (CACHE / "lock").open("w") as base:
            fcntl.flock(base, fcntl.LOCK_EX)
            make_root(CACHE, machine.root)
        machine.prepare(public_key)
        try:
            machine.boot()
            yield machine
        finally:
            machine.kill()
            subprocess.run(["rm", "-rf", str(machine.root)], check=True)


def make_ssh_key(workplace: Path) -> str:
    """Make the key that Ansible enters with; return its public half."""
    key = workplace / "ssh_key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(command, check=True)
    return key.with_suffix(".pub").read_text()


def checkout(workplace: Path) -> Path:
    """Clone what is committed, so that a test may commit to it."""
    source = workplace / "source"
    subprocess.run(
        ["git", "clone", "--quiet", str(REPOSITORY), str(source)], check=True
    )
    return source


def roles_of(version: str, source: Path, workplace: Path) -> Path:
    """Return the directory with the playbook of a version."""
    archive = ["git", "-C", str(source), "archive", version, "ansible"]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(workplace)], check=True, input=packed)
    return workplace / "ansible"
