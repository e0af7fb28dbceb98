"""A deployment from nothing: a fresh machine, the committed source, the playbook."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.debian import make_root
from tests.deploy.machine import Answer, Machine, request
from tests.deploy.playbook import REPOSITORY, Playbook

HOST = "auth.platform.internal"
CACHE = REPOSITORY / "var/deploy"


@dataclass(frozen=True)
class Deployment:
    """The machine, the playbook and the settings that its first run put in place."""

    machine: Machine
    playbook: Playbook
    settings: str

    def direct(self, path: str, *options: str) -> Answer:
        """Ask the service itself."""
        return request(self.machine, f"http://127.0.0.1:8000{path}", *options)

    def public(self, path: str, *options: str) -> Answer:
        """Ask as the world does: through the proxy, over TLS."""
        return request(self.machine, f"https://{HOST}{path}", *options)


@contextmanager
def deployed(workplace: Path) -> Iterator[Deployment]:
    """Deploy to a fresh machine, and take it down afterwards, on failure too."""
    with _machine(workplace) as machine:
        chosen = {
            "PUBLIC_URL": f"https://{HOST}",
            "PLATFORM_NAME": 'The "Platform" for $5, 100 %',
            "COOKIE_DOMAIN": "platform.internal",
        }
        playbook = Playbook(workplace, machine, _checkout(workplace), chosen)
        first = playbook.run()
        assert first.succeeded, first.output
        settings = machine.output("cat /etc/latchkey/latchkey.env")
        yield Deployment(machine, playbook, settings)


@contextmanager
def _machine(workplace: Path) -> Iterator[Machine]:
    CACHE.mkdir(parents=True, exist_ok=True)
    machine = Machine(CACHE / "root", HOST, workplace / "machine.log", CACHE / "pip")
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(machine.root, ignore_errors=True)
        make_root(CACHE, machine.root)
        machine.prepare(_make_ssh_key(workplace))
        try:
            machine.boot()
            yield machine
        finally:
            machine.halt()
            shutil.rmtree(machine.root)


def _make_ssh_key(workplace: Path) -> str:
    key = workplace / "ssh_key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(command, check=True)
    return key.with_suffix(".pub").read_text()


def _checkout(workplace: Path) -> Path:
    """Clone what is committed, so that a test may commit to it."""
    source = workplace / "source"
    subprocess.run(
        ["git", "clone", "--quiet", str(REPOSITORY), str(source)], check=True
    )
    return source
