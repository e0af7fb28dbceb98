"""Runs the playbook against the machine, from a checkout that a test may change."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.machine import Machine

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / "var/deploy/venv/bin"
RECAP = re.compile(r"^machine-\w+ +: (?P<counts>.*)$", re.MULTILINE)
LONGEST_RUN = 900
BACKUPS = "/var/backups/latchkey"


@dataclass(frozen=True)
class Run:
    """The result of one run of the playbook."""

    output: str
    counts: Mapping[str, int]

    @property
    def succeeded(self) -> bool:
        """Whether every task did."""
        return self.counts["failed"] == 0 and self.counts["unreachable"] == 0

    @property
    def changes(self) -> list[str]:
        """Return the names of the tasks that changed something."""
        blocks = re.split(
            r"^(?:TASK|RUNNING HANDLER) \[", self.output, flags=re.MULTILINE
        )
        changed = re.compile(r"^changed: ", re.MULTILINE)
        return [b.partition("]")[0] for b in blocks[1:] if changed.search(b)]


@dataclass(frozen=True)
class Playbook:
    """The playbook, its inventory and the checkout that it deploys.

    `machines` are named as the hosts of the inventory, all of them in the group
    latchkey; `groups` are the other groups, each with one of them.
    """

    workplace: Path
    machines: dict[str, Machine]
    source: Path
    settings: dict[str, str]
    groups: Mapping[str, str] = field(default_factory=dict)
    roles: Path = REPOSITORY / "ansible"

    def run(self, *options: str, version: str = "HEAD", **settings: str) -> Run:
        """Run the playbook, with some settings changed, and return the result."""
        inventory = self.workplace / "inventory.json"
        inventory.write_text(json.dumps(self._inventory(version, settings)))
        command = [f"{TOOLS}/ansible-playbook", f"--inventory={inventory}"]
        answer = subprocess.run(
            [*command, *options, "site.yml"],
            check=False,
            cwd=self.roles,
            env={"PATH": os.environ["PATH"], "HOME": str(self.workplace)},
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN,
            stdin=subprocess.DEVNULL,
        )
        counts: Counter[str] = Counter()
        for recap in RECAP.finditer(answer.stdout):
            for name, _, count in (pair.partition("=") for pair in recap[1].split()):
                counts[name] += int(count)
        assert counts, answer.stdout + answer.stderr
        return Run(answer.stdout, counts)

    def commit(self, path: str, content: str) -> str:
        """Commit one file to the checkout and return the name of that release."""
        (self.source / path).write_text(content)
        self._git("commit", "--quiet", "--message", "A change", "--", path)
        return self.release()

    def release(self, version: str = "HEAD") -> str:
        """Return the name under which a version would be released."""
        return self._git("rev-parse", "--short=12", version)

    def _git(self, *command: str) -> str:
        who = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
        answer = subprocess.run(
            ["git", "-C", self.source, *who, *command],
            check=True,
            capture_output=True,
            text=True,
        )
        return answer.stdout.strip()

    def _inventory(self, version: str, settings: dict[str, str]) -> dict[str, object]:
        variables = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.workplace / "ssh_key"),
            "deploy_source": str(self.source),
            "deploy_version": version,
            "proxy_tls": "internal",
            "deploy_backup_directory": BACKUPS,
            "latchkey_settings": {**self.settings, **settings},
        }
        hosts = {name: host_variables(each) for name, each in self.machines.items()}
        groups: dict[str, object] = {"latchkey": {"hosts": hosts}}
        for group, name in self.groups.items():
            groups[group] = {"hosts": {name: hosts[name]}}
        return {"all": {"children": groups, "vars": variables}}


def host_variables(machine: Machine) -> dict[str, str]:
    """Return how Ansible reaches a machine, and where its neighbours do."""
    options = [
        "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        f"-o ProxyCommand={shlex.quote(machine.ssh_proxy())}",
    ]
    variables = {"ansible_ssh_common_args": " ".join(options)}
    if machine.address:
        variables["latchkey_address"] = machine.address
    return variables
