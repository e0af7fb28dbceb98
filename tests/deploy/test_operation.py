"""A machine in use: timers, reboots, reloads, commands and back-ups."""

from __future__ import annotations

import json
import re
import shlex

from tests.deploy.deployment import Deployment
from tests.deploy.playbook import BACKUPS, REPOSITORY

LAST_BACKUP = (
    "SELECT detail FROM audit_events WHERE event = 'backup_made' ORDER BY id DESC"
)
OPERATORS_PAGE = REPOSITORY / "docs/deployment.md"


def test_sweep_unit_in_its_sandbox_exits_with_0(deployment: Deployment):
    deployment.machine.run("systemctl start latchkey-sweep.service")

    assert deployment.machine.show("latchkey-sweep.service", "Result") == "success"


def test_backup_of_the_timer_runs_to_its_end_in_its_sandbox(deployment: Deployment):
    deployment.machine.run("systemctl start latchkey-backup.service")

    assert deployment.machine.show("latchkey-backup.service", "Result") == "success"
    assert deployment.machine.show("latchkey-backup.timer", "ActiveState") == "active"


def test_command_is_audited_with_the_person_who_called_it(deployment: Deployment):
    deployment.machine.run(f"SUDO_USER=maria latchkey backup {BACKUPS}")

    program = f"""
import sqlite3
connection = sqlite3.connect("/var/lib/latchkey/latchkey.db")
print(connection.execute("{LAST_BACKUP}").fetchone()[0])
"""
    detail = deployment.machine.output(f"python3 -c {shlex.quote(program)}")
    assert json.loads(detail)["operator"] == "maria"


def test_sweep_timer_has_a_next_run(deployment: Deployment):
    timer = "latchkey-sweep.timer"

    assert deployment.machine.show(timer, "ActiveState") == "active"
    assert deployment.machine.show(timer, "NextElapseUSecRealtime")


def test_reload_keeps_the_main_process_and_answers_requests(deployment: Deployment):
    before = deployment.machine.show("latchkey.service", "MainPID")

    deployment.machine.run("systemctl reload latchkey.service")

    assert deployment.direct("/readyz").status == 200
    assert deployment.machine.show("latchkey.service", "MainPID") == before


def test_stop_ends_the_unit_with_exit_code_0(deployment: Deployment):
    deployment.machine.run("systemctl stop latchkey.service")
    result = deployment.machine.show("latchkey.service", "Result")
    status = deployment.machine.show("latchkey.service", "ExecMainStatus")
    deployment.machine.run("systemctl start latchkey.service")

    assert (result, status) == ("success", "0")


def test_request_to_a_stopped_service_starts_it(deployment: Deployment):
    deployment.machine.run("systemctl stop latchkey.service")

    assert deployment.direct("/healthz").status == 200


def test_unknown_command_exits_with_2(deployment: Deployment):
    answer = deployment.machine.run("latchkey no-such-command", check=False)

    assert answer.returncode == 2
    assert "No such command" in answer.stderr


def test_all_units_are_active_after_a_reboot(deployment: Deployment):
    deployment.machine.reboot()

    assert deployment.public("/healthz").status == 200
    assert deployment.direct("/readyz").status == 200
    assert deployment.machine.show("latchkey-sweep.timer", "ActiveState") == "active"
    assert deployment.machine.output("systemctl --failed --quiet --no-legend") == ""


def recipe(mark: str) -> str:
    """Return the commands after a mark of the operators' page, for root."""
    found = re.search(
        rf"<!-- {mark} -->\n+```sh\n(.*?)```", OPERATORS_PAGE.read_text(), re.DOTALL
    )
    assert found
    return found[1].replace("sudo ", "")


def test_back_up_recipe_copies_database_and_key_to_two_places(deployment: Deployment):
    deployment.machine.run(recipe("back-up"))
    deployment.machine.run(recipe("back-up of the key"))

    secret = deployment.machine.output("cat /etc/latchkey/secret_key")
    inside = f"zgrep -rl {secret} {BACKUPS} || true"
    assert deployment.machine.output(f"ls {BACKUPS}").startswith("latchkey-")
    assert deployment.machine.output(inside) == ""
    assert deployment.machine.output(f"stat -c %a:%U {BACKUPS}") == "700:latchkey"
    kept = deployment.machine.output("ls /root/latchkey-key")
    assert kept.split() == ["latchkey.env", "secret_key"]
