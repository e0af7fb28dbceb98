"""Later runs of the playbook: upgrade, roll back, failed starts."""

from __future__ import annotations

import pytest

from tests.deploy.deployment import ACCEPTED, Deployment
from tests.deploy.visitor import start_visitor, stop_visitor

RELEASES = "/opt/latchkey/releases"
ENVIRONMENTS = "/opt/latchkey/environments"
INSTALLING = "deploy : Install the locked requirements, every artifact by its hash"
COMPILING = (
    "deploy : Compile the source, which the service itself may not write to, and finish"
)
BUILDING = {INSTALLING, COMPILING}
"""Tasks that a release needs which is not on the host yet."""


@pytest.fixture(scope="module")
def newer(deployment: Deployment) -> str:
    """Commit a harmless change and give the name of the release that holds it."""
    wsgi = (deployment.playbook.source / "wsgi.py").read_text()
    return deployment.playbook.commit("wsgi.py", f"{wsgi}\n# Changed.\n")


@pytest.fixture(scope="module")
def older(deployment: Deployment, newer: str) -> str:
    """Give the name of the release before that one."""
    return deployment.playbook.release(f"{newer}^")


def test_check_mode_before_an_upgrade_says_what_would_change(
    deployment: Deployment, older: str, newer: str
):
    serve(deployment, older)

    run = deployment.playbook.run("--check", "--diff", version=newer)

    assert run.succeeded, run.output
    assert f"{RELEASES}/{newer} would be built" in run.output
    assert deployment.running_release() == older
    assert newer not in deployment.machine.output(f"ls {RELEASES}").split()


def test_upgrade_answers_every_request_and_keeps_keys(
    deployment: Deployment, older: str, newer: str
):
    serve(deployment, older)
    secret = deployment.machine.output("sha256sum /etc/latchkey/secret_key")
    keys = deployment.public("/.well-known/jwks.json").json()
    deployment.machine.run(f"mkdir -p {ENVIRONMENTS}/of-no-release/bin")
    start_visitor(deployment.machine)

    run = deployment.playbook.run(version=newer)

    answers = stop_visitor(deployment.machine)
    assert run.succeeded, run.output
    assert deployment.running_release() == newer != older
    assert len(answers) > 10
    assert set(answers) == {"200"}
    assert deployment.machine.output("sha256sum /etc/latchkey/secret_key") == secret
    assert deployment.public("/.well-known/jwks.json").json() == keys
    # It needs what the release before it needs, so its environment is there already.
    assert BUILDING & set(run.changes) == {COMPILING}


def test_releases_with_the_same_locks_share_one_environment_of_that_name(
    deployment: Deployment, older: str, newer: str
):
    serve(deployment, newer)
    releases = f"{RELEASES}/{older} {RELEASES}/{newer}"

    locks = deployment.machine.output(f"sha256sum {RELEASES}/{newer}/requirements.txt")
    python = deployment.machine.output("ls -d /usr/lib/python3.[0-9]*").split("/")[-1]
    name = f"{locks.split()[0]}-{python}"
    links = deployment.machine.output(
        f"cd {releases.split(maxsplit=1)[0]} && readlink venv"
    )
    used = deployment.machine.output(
        f"for release in {releases}; do readlink -f $release/venv; done"
    )
    assert links == f"../../environments/{name}"
    assert used.split() == [f"{ENVIRONMENTS}/{name}"] * 2
    # What belonged to no release is gone.
    assert deployment.machine.output(f"ls {ENVIRONMENTS}") == name


def test_releases_and_environments_are_writable_by_root_alone(deployment: Deployment):
    writable = "( ! -user root -o ! -group root -o -perm /022 ) ! -type l"
    places = f"{RELEASES} {ENVIRONMENTS}"

    found = f"find {places} {writable} -print".replace("(", r"\(").replace(")", r"\)")
    assert deployment.machine.output(found) == ""


def test_rollback_uses_the_kept_release(deployment: Deployment, older: str, newer: str):
    serve(deployment, newer)

    back = deployment.playbook.run(version=older)

    assert back.succeeded, back.output
    assert deployment.running_release() == older
    assert not BUILDING & set(back.changes)


def test_next_run_completes_an_interrupted_one(
    deployment: Deployment, older: str, newer: str
):
    serve(deployment, older)
    link = f"ln -sfn /opt/latchkey/releases/{newer} /opt/latchkey/current"
    deployment.machine.run(link)
    assert deployment.running_release() == older

    run = deployment.playbook.run(version=newer)

    assert run.succeeded, run.output
    assert deployment.running_release() == newer


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


def test_release_that_does_not_start_is_rolled_back_with_its_settings_and_socket(
    deployment: Deployment, newer: str
):
    serve(deployment, newer)
    broken = deployment.playbook.commit("gunicorn.conf.py", "raise SystemExit(3)\n")

    run = deployment.playbook.run(
        version=broken, PLATFORM_NAME="Never seen", BIND="127.0.0.1:8009"
    )

    assert not run.succeeded
    assert f"{newer} serves again" in run.output
    assert deployment.running_release() == newer
    assert deployment.machine.output(f"cat {ACCEPTED}") == deployment.settings
    assert deployment.direct("/readyz").status == 200
    assert deployment.public("/healthz").status == 200


def serve(deployment: Deployment, release: str) -> None:
    """Have a release serve with the first settings, if it does not."""
    settings = deployment.machine.output(f"cat {ACCEPTED}")
    if (settings, deployment.running_release()) != (deployment.settings, release):
        run = deployment.playbook.run(version=release)
        assert run.succeeded, run.output
