"""Later runs of the playbook: upgrade, roll back, failed starts."""

from __future__ import annotations

import pytest

from tests.deploy.deployment import Deployment
from tests.deploy.visitor import start_visitor, stop_visitor

ACCEPTED = "/etc/latchkey/latchkey.env"


@pytest.fixture(scope="module")
def newer(deployment: Deployment) -> str:
    """Commit a harmless change and give the name of the release that holds it."""
    wsgi = (deployment.playbook.source / "wsgi.py").read_text()
    return deployment.playbook.commit("wsgi.py", f"{wsgi}\n# Changed.\n")


@pytest.fixture(scope="module")
def older(deployment: Deployment, newer: str) -> str:
    """Give the name of the release before that one."""
    return deployment.playbook.release(f"{newer}^")


def test_upgrade_answers_every_request_and_keeps_keys(
    deployment: Deployment, older: str, newer: str
):
    serve(deployment, older)
    secret = deployment.machine.output("sha256sum /etc/latchkey/secret_key")
    keys = deployment.public("/.well-known/jwks.json").json()
    start_visitor(deployment.machine)

    run = deployment.playbook.run(version=newer)

    answers = stop_visitor(deployment.machine)
    assert run.succeeded, run.output
    assert running_release(deployment) == newer != older
    assert len(answers) > 10
    assert set(answers) == {"200"}
    assert deployment.machine.output("sha256sum /etc/latchkey/secret_key") == secret
    assert deployment.public("/.well-known/jwks.json").json() == keys


def test_rollback_uses_the_kept_release(deployment: Deployment, older: str, newer: str):
    serve(deployment, newer)

    back = deployment.playbook.run(version=older)

    assert back.succeeded, back.output
    assert running_release(deployment) == older
    assert not [task for task in back.changes if "Install the locked" in task]


def test_next_run_completes_an_interrupted_one(
    deployment: Deployment, older: str, newer: str
):
    serve(deployment, older)
    link = f"ln -sfn /opt/latchkey/releases/{newer} /opt/latchkey/current"
    deployment.machine.run(link)
    assert running_release(deployment) == older

    run = deployment.playbook.run(version=newer)

    assert run.succeeded, run.output
    assert running_release(deployment) == newer


def test_wrong_setting_leaves_the_running_service_alone(
    deployment: Deployment, newer: str
):
    serve(deployment, newer)
    process = deployment.machine.show("latchkey.service", "MainPID")

    run = deployment.playbook.run(version=newer, COOKIE_DOMAIN="internal")

    assert not run.succeeded
    assert "internal is a public suffix" in run.output
    assert deployment.machine.output(f"cat {ACCEPTED}") == deployment.settings
    assert deployment.machine.show("latchkey.service", "MainPID") == process
    assert deployment.direct("/readyz").status == 200


def test_changed_settings_are_used_after_the_run(deployment: Deployment, newer: str):
    serve(deployment, newer)
    changes = {"PLATFORM_NAME": "Renamed", "BIND": "127.0.0.1:8100"}

    run = deployment.playbook.run(version=newer, **changes)

    assert run.succeeded, run.output
    metadata = deployment.public("/oauth-client-metadata.json").json()
    assert metadata["client_name"] == "Renamed"
    assert "127.0.0.1:8100" in deployment.machine.show("latchkey.socket", "Listen")
    assert deployment.machine.run("curl -s 127.0.0.1:8000", check=False).returncode


def test_release_that_does_not_start_is_rolled_back_with_its_settings(
    deployment: Deployment, newer: str
):
    serve(deployment, newer)
    broken = deployment.playbook.commit("gunicorn.conf.py", "raise SystemExit(3)\n")

    run = deployment.playbook.run(version=broken, PLATFORM_NAME="Never seen")

    assert not run.succeeded
    assert f"{newer} serves again" in run.output
    assert running_release(deployment) == newer
    assert deployment.machine.output(f"cat {ACCEPTED}") == deployment.settings


def serve(deployment: Deployment, release: str) -> None:
    """Have a release serve with the first settings, if it does not."""
    settings = deployment.machine.output(f"cat {ACCEPTED}")
    if (settings, running_release(deployment)) != (deployment.settings, release):
        run = deployment.playbook.run(version=release)
        assert run.succeeded, run.output


def running_release(deployment: Deployment) -> str:
    """Return the name of the release that the first process was started from."""
    process = deployment.machine.show("latchkey.service", "MainPID")
    return deployment.machine.output(f"basename $(readlink /proc/{process}/cwd)")
