"""ansible-lint, the example inventory, and systemd's own checks of the units."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.deploy.deployment import Deployment
from tests.deploy.playbook import REPOSITORY, TOOLS

UNITS = (
    "latchkey.service latchkey.socket latchkey-rpc.service "
    "latchkey-sweep.service latchkey-sweep.timer "
    "latchkey-backup.service latchkey-backup.timer"
)
# Of 10; what is left is the network, the shared root and unix sockets.
MOST_EXPOSED = 1.2


def test_ansible_lint_with_production_rules_reports_nothing():
    answer = subprocess.run(
        [TOOLS / "ansible-lint", "--strict", "--nocolor"],
        check=False,
        cwd=REPOSITORY / "ansible",
        env={"PATH": f"{TOOLS}:/usr/bin:/bin", "HOME": str(REPOSITORY / "var/deploy")},
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_ansible_inventory_reads_the_example_inventory():
    answer = subprocess.run(
        [TOOLS / "ansible-inventory", "-i", "inventory.example.yml", "--graph"],
        check=False,
        cwd=REPOSITORY / "ansible",
        capture_output=True,
        text=True,
    )

    assert "auth.example.org" in answer.stdout, answer.stderr


def test_systemd_analyze_verify_of_the_units_reports_nothing(deployment: Deployment):
    answer = deployment.machine.run(f"systemd-analyze verify {UNITS} caddy.service")

    assert answer.stdout + answer.stderr == ""


@pytest.mark.parametrize(
    "unit",
    [
        "latchkey.service",
        "latchkey-rpc.service",
        "latchkey-sweep.service",
        "latchkey-backup.service",
    ],
)
def test_systemd_analyze_security_exposure_is_below_the_limit(
    deployment: Deployment, unit: str, capsys: pytest.CaptureFixture[str]
):
    report = deployment.machine.output(f"systemd-analyze security --no-pager {unit}")

    verdict = report.splitlines()[-1]
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", verdict)
    with capsys.disabled():
        print(f"\n{verdict}")
    assert exposure
    assert float(exposure[1]) <= MOST_EXPOSED
