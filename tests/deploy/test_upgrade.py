"""What later runs of the playbook do to a service that people are using."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.deployment import HOST, Deployment

# Asks through the proxy, again and again, until the file `stop` appears.
VISITOR = f"""
while [ ! -e /run/visitor/stop ]; do
  curl --silent --insecure --max-time 30 --output /dev/null \\
    --write-out '%{{http_code}}\\n' https://{HOST}/auth/login >> /run/visitor/seen
done
"""


@pytest.fixture
def unchanged(deployment: Deployment) -> Iterator[str]:
    """Give the release that serves, and bring it back with its settings afterwards."""
    release = deployment.playbook.release()
    yield release
    deployment.playbook.go_back_to(release)
    assert deployment.playbook.run().succeeded
    assert deployment.linked_release() == release


def test_an_upgrade_refuses_nobody(deployment: Deployment, unchanged: str):
    with_change = commit_harmless_change(deployment)
    start_visitor(deployment)

    assert deployment.playbook.run().succeeded

    answers = stop_visitor(deployment)
    assert deployment.linked_release() == with_change != unchanged
    assert len(answers) > 10
    assert set(answers) == {"200"}


def test_an_older_version_is_linked_again_without_being_rebuilt(
    deployment: Deployment, unchanged: str
):
    commit_harmless_change(deployment)
    assert deployment.playbook.run().succeeded

    back = deployment.playbook.run("--extra-vars", f"deploy_version={unchanged}")

    assert back.succeeded, back.output
    assert deployment.linked_release() == unchanged
    assert running_release(deployment) == unchanged
    assert not [task for task in back.changes if "Install the locked" in task]


def test_a_run_that_was_cut_short_is_made_good(deployment: Deployment, unchanged: str):
    newer = commit_harmless_change(deployment)
    assert deployment.playbook.run().succeeded
    link = f"ln -sfn /opt/latchkey/releases/{unchanged} /opt/latchkey/current"
    deployment.machine.run(link)
    assert running_release(deployment) == newer

    run = deployment.playbook.run("--extra-vars", f"deploy_version={unchanged}")

    assert run.succeeded, run.output
    assert running_release(deployment) == unchanged


def test_a_wrong_setting_never_touches_the_running_service(
    deployment: Deployment, unchanged: str
):
    before = deployment.machine.output("sha256sum /etc/latchkey/latchkey.env")
    process = deployment.machine.show("latchkey.service", "MainPID")

    run = deployment.playbook.run(COOKIE_DOMAIN="com")

    assert not run.succeeded
    assert "COOKIE_DOMAIN" in run.output
    assert "public suffix" in run.output
    after = deployment.machine.output("sha256sum /etc/latchkey/latchkey.env")
    assert after == before
    assert deployment.machine.show("latchkey.service", "MainPID") == process
    assert deployment.direct("/readyz").status == 200


def test_a_changed_setting_is_in_force_after_the_run(
    deployment: Deployment, unchanged: str
):
    assert deployment.playbook.run(PLATFORM_NAME="Renamed").succeeded

    metadata = deployment.public("/oauth-client-metadata.json").json()
    assert metadata["client_name"] == "Renamed"


def test_a_release_that_does_not_start_is_taken_back(
    deployment: Deployment, unchanged: str
):
    deployment.playbook.commit("gunicorn.conf.py", "raise SystemExit('broken')\n")

    run = deployment.playbook.run(PLATFORM_NAME="Never seen")

    assert not run.succeeded
    assert f"{unchanged} serves again" in run.output
    assert deployment.linked_release() == unchanged
    metadata = deployment.public("/oauth-client-metadata.json").json()
    assert metadata["client_name"] == deployment.playbook.settings["PLATFORM_NAME"]


def test_the_service_and_its_proxy_move_to_another_port_together(
    deployment: Deployment, unchanged: str
):
    assert deployment.playbook.run(BIND="127.0.0.1:8100").succeeded

    assert deployment.public("/healthz").status == 200
    assert deployment.machine.run("curl -s 127.0.0.1:8000", check=False).returncode
    assert "127.0.0.1:8100" in deployment.machine.show("latchkey.socket", "Listen")


def test_secrets_survive_every_run(deployment: Deployment, unchanged: str):
    command = "sha256sum /etc/latchkey/secret_key"
    before = deployment.machine.output(command)
    keys = deployment.public("/.well-known/jwks.json").json()
    commit_harmless_change(deployment)

    assert deployment.playbook.run().succeeded

    assert deployment.machine.output(command) == before
    assert deployment.public("/.well-known/jwks.json").json() == keys


def commit_harmless_change(deployment: Deployment) -> str:
    """Commit a remark and return the name of the release that holds it."""
    wsgi = (deployment.playbook.source / "wsgi.py").read_text()
    return deployment.playbook.commit("wsgi.py", f"{wsgi}\n# Changed.\n")


def running_release(deployment: Deployment) -> str:
    """Return the name of the release that the first process was started from."""
    process = deployment.machine.show("latchkey.service", "MainPID")
    return deployment.machine.output(f"basename $(readlink /proc/{process}/cwd)")


def start_visitor(deployment: Deployment) -> None:
    deployment.machine.run("rm -rf /run/visitor && mkdir /run/visitor")
    (deployment.machine.root / "root/visitor").write_text(VISITOR)
    deployment.machine.run(
        "systemd-run --quiet --collect --unit=visitor --property=RuntimeMaxSec=600"
        " sh /root/visitor"
    )


def stop_visitor(deployment: Deployment) -> list[str]:
    deployment.machine.run("touch /run/visitor/stop")
    is_over = "! systemctl is-active --quiet visitor"
    deployment.machine.run(f"for _ in $(seq 60); do {is_over} && exit; sleep 1; done")
    return deployment.machine.output("cat /run/visitor/seen").split()
