"""The first run of the playbook on a bare machine: service, files, sandbox."""

from __future__ import annotations

import shlex

import pytest

from tests.deploy.deployment import HOST, Deployment

# A process in the sandbox of the administrative commands, which is the service's.
CONFINED = (
    "systemd-run --quiet --pipe --wait --collect --unit=latchkey-command-probe"
    " --working-directory=/opt/latchkey/current -- "
)


def python(code: str) -> str:
    return shlex.join(["/opt/latchkey/current/venv/bin/python", "-c", code])


def run_a_copy(directory: str) -> str:
    copy = f"{directory}/probe"
    script = f"trap 'rm -f {copy}' EXIT; cp /bin/true {copy}; {copy}"
    return shlex.join(["sh", "-c", script])


ATTEMPTS = {
    "find the system writable": python(
        "import os, sys; sys.exit(os.statvfs('/usr').f_flag & os.ST_RDONLY)"
    ),
    "change its own code": "touch /opt/latchkey/current/app/__init__.py",
    "change its own settings": "touch /etc/latchkey/latchkey.env",
    "read the secret key's file": "cat /etc/latchkey/secret_key",
    "read the operator's files": "ls /root",
    "run what it has stored": run_a_copy("/var/lib/latchkey"),
    "run what it has uploaded": run_a_copy("/var/cache/latchkey"),
    "run what it has downloaded": run_a_copy("/tmp"),  # noqa: S108
    "see other people's processes": "test -e /proc/1",
    "make memory writable and executable": python(
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)"
    ),
    "listen to the network": python(
        "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"
    ),
    "become another user": python("import os; os.setuid(0)"),
    "make a namespace": "unshare --user true",
}


def test_healthz_through_the_proxy_returns_200(deployment: Deployment):
    answer = deployment.public("/healthz")

    assert answer.status == 200


def test_readyz_returns_200(deployment: Deployment):
    assert deployment.direct("/readyz").status == 200


def test_client_metadata_have_the_public_url(deployment: Deployment):
    answer = deployment.public("/oauth-client-metadata.json")

    assert answer.status == 200
    assert answer.headers["content-type"] == ["application/json"]
    assert answer.json()["client_id"] == f"https://{HOST}/oauth-client-metadata.json"


def test_setting_with_quotes_and_dollars_arrives_unchanged(deployment: Deployment):
    name = deployment.public("/oauth-client-metadata.json").json()["client_name"]

    assert name == deployment.playbook.settings["PLATFORM_NAME"]


def test_second_run_of_the_playbook_changes_nothing(deployment: Deployment):
    second = deployment.playbook.run()

    assert second.succeeded, second.output
    assert second.changes == []
    assert second.counts["changed"] == 0


def test_check_mode_changes_nothing(deployment: Deployment):
    dry = deployment.playbook.run("--check", "--diff")

    assert dry.succeeded, dry.output
    assert dry.changes == []


def test_every_process_of_the_service_runs_under_its_own_account(
    deployment: Deployment,
):
    users = deployment.machine.output("pgrep -f [b]in/gunicorn | xargs ps -o user= -p")

    assert set(users.split()) == {"latchkey"}


def test_secret_key_is_readable_by_root_only(deployment: Deployment):
    mode = deployment.machine.output("stat -c '%U %a %s' /etc/latchkey/secret_key")

    assert mode == "root 600 44"


def test_secret_key_is_in_no_environment_of_a_process(deployment: Deployment):
    main = deployment.machine.show("latchkey.service", "MainPID")

    environment = deployment.machine.output(f"tr '\\0' '\\n' < /proc/{main}/environ")

    secret = deployment.machine.output("cat /etc/latchkey/secret_key")
    assert secret not in environment
    assert "LATCHKEY_SECRET_KEY_FILE=/run/credentials/" in environment


def test_database_is_readable_by_the_service_only(deployment: Deployment):
    listing = deployment.machine.output("find /var/lib/latchkey -printf '%u %m %P\\n'")

    owners = {line.split()[0] for line in listing.splitlines()}
    open_to_others = [
        line for line in listing.splitlines() if int(line.split()[1], 8) & 0o077
    ]
    assert "latchkey.db" in listing
    assert owners == {"latchkey"}
    assert open_to_others == []


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_unit_sandbox_refuses_the_operation(deployment: Deployment, attempt: str):
    outside = deployment.machine.run(
        f"systemd-run --quiet --pipe --wait --collect -- {attempt}", check=False
    )
    inside = deployment.machine.run(CONFINED + attempt, check=False)

    assert outside.returncode == 0, "the attempt proves nothing if it always fails"
    assert inside.returncode != 0


def test_unit_sandbox_allows_writing_the_state_directory(deployment: Deployment):
    attempt = "sh -c 'touch /var/lib/latchkey/x && rm /var/lib/latchkey/x'"

    assert deployment.machine.run(CONFINED + attempt).returncode == 0


def test_temporary_files_of_the_service_are_on_disk(deployment: Deployment):
    attempt = python("import tempfile; print(tempfile.TemporaryFile().fileno() > 0)")
    where = python("import tempfile; print(tempfile.gettempdir())")

    assert deployment.machine.output(CONFINED + attempt) == "True"
    assert deployment.machine.output(CONFINED + where) == "/var/cache/latchkey"
    size = deployment.machine.output(CONFINED + "df --output=size -k /tmp")
    assert size.split()[-1] == "16384"


def test_unit_sandbox_allows_keys_and_tls(deployment: Deployment):
    attempt = python(
        "from gevent import monkey; monkey.patch_all(); import socket, ssl;"
        "from cryptography.hazmat.primitives.asymmetric import rsa;"
        "rsa.generate_private_key(65537, 2048);"
        "context = ssl.create_default_context(); context.check_hostname = False;"
        "context.verify_mode = ssl.CERT_NONE;"
        f"plain = socket.create_connection(('{HOST}', 443), 10);"
        f"print(context.wrap_socket(plain, server_hostname='{HOST}').version())"
    )

    assert deployment.machine.output(CONFINED + attempt) == "TLSv1.3"
