"""Two hosts on one PostgreSQL and one Redis: the secret key, extras, rolling runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.deploy.deployment import HOST, checkout, make_ssh_key, started
from tests.deploy.machine import Answer, Machine, request
from tests.deploy.playbook import REPOSITORY, Playbook
from tests.deploy.visitor import start_visitor, stop_visitor

GROUPS = ("latchkey_postgresql", "latchkey_redis", "latchkey_proxy")
# The addresses of docs/several-nodes.md.
ADDRESSES = ("10.0.0.11", "10.0.0.12")
DATABASE = "10.0.0.10"
SETTINGS = {
    "PUBLIC_URL": f"https://{HOST}",
    "COOKIE_DOMAIN": "platform.internal",
    "DATABASE_URL": f"postgresql://latchkey:change-me@{DATABASE}/latchkey?sslmode=require",
    "RATE_LIMIT_STORAGE": f"redis://:change-me@{DATABASE}/0",
}
SUM_OF_THE_KEY = "sha256sum /etc/latchkey/secret_key"


@dataclass(frozen=True)
class Platform:
    """Two nodes, and the playbook that made them."""

    playbook: Playbook

    @property
    def nodes(self) -> list[Machine]:
        return list(self.playbook.machines.values())

    def on_each(self, command: str) -> list[str]:
        """Return what a command prints, on one node after the other."""
        return [node.output(command) for node in self.nodes]

    def public(self, path: str) -> Answer:
        """Ask as the world does: through the proxy of the first machine."""
        return request(self.nodes[0], f"https://{HOST}{path}")

    def direct(self, node: Machine, path: str) -> Answer:
        """Ask one node itself."""
        return request(self.nodes[0], f"http://{node.address}:8000{path}")


@dataclass(frozen=True)
class Upgrade:
    """What a visitor saw of an upgrade, its release, and the key from before it."""

    release: str
    secret_key: str
    answers: list[str]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Deploy to two machines, the first of which has all else that they need, too."""
    workplace = tmp_path_factory.mktemp("nodes")
    key = make_ssh_key(workplace)
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(started(workplace, f"node-{number}", key, address))
            for number, address in enumerate(ADDRESSES, start=1)
        )
        one.connect(two)
        one.add_address(DATABASE)
        machines = {"machine-1": one, "machine-2": two}
        others = dict.fromkeys(GROUPS, "machine-1")
        playbook = Playbook(workplace, machines, checkout(workplace), SETTINGS, others)
        first = playbook.run()
        assert first.succeeded, first.output
        yield Platform(playbook)


def test_every_node_is_ready_and_publishes_the_same_keys(platform: Platform):
    answers = [platform.direct(node, "/readyz") for node in platform.nodes]
    keys = [platform.direct(node, "/.well-known/jwks.json") for node in platform.nodes]

    assert [answer.status for answer in answers] == [200, 200]
    assert keys[0].json() == keys[1].json()


def test_secret_key_is_the_same_on_each_node_and_for_root_alone(platform: Platform):
    sums = platform.on_each(SUM_OF_THE_KEY)
    modes = platform.on_each("stat -c '%U %a' /etc/latchkey/secret_key")

    assert len(set(sums)) == 1
    assert set(modes) == {"root 600"}


def test_extras_are_installed_in_their_locked_versions(platform: Platform):
    locked = "".join(
        (REPOSITORY / f"ansible/requirements-{extra}.txt").read_text()
        for extra in ("postgres", "redis")
    )
    listing = "/opt/latchkey/current/venv/bin/pip freeze --disable-pip-version-check"

    for installed in platform.on_each(f"{listing} | grep -E '^(psycopg|redis)'"):
        lines = installed.split()
        assert len(lines) == 3
        assert all(f"{line} " in locked for line in lines), lines


def test_postgresql_lets_in_the_nodes_alone_and_over_tls(platform: Platform):
    rules = platform.nodes[0].output("grep latchkey /etc/postgresql/*/main/pg_hba.conf")
    role = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles"
    asked = f"psql -tAc \"{role} WHERE rolname = 'latchkey'\""

    assert [rule.split()[0] for rule in rules.splitlines()] == ["hostssl"] * 3
    assert [rule.split()[3] for rule in rules.splitlines()] == [
        f"{address}/32" for address in (DATABASE, *ADDRESSES)
    ]
    assert platform.nodes[0].output(f"cd / && runuser -u postgres -- {asked}") == "f"


def test_second_run_on_two_nodes_changes_nothing(platform: Platform):
    second = platform.playbook.run()

    assert second.succeeded, second.output
    assert second.changes == []
    assert second.counts["changed"] == 0


def test_rate_limits_of_the_nodes_are_counted_in_redis(platform: Platform):
    start = "-d identifier=nothing.invalid -H 'Sec-Fetch-Site: same-origin'"
    for node in platform.nodes:
        node.run(f"curl -s {start} http://{node.address}:8000/auth/login")

    counted = platform.nodes[0].output(
        f"redis-cli -h {DATABASE} -a change-me --no-auth-warning --scan"
    )

    assert all(f"address {node.address}/" in counted for node in platform.nodes)


@pytest.fixture(scope="module")
def upgrade(platform: Platform) -> Upgrade:
    """Deploy a newer release, also to a node without its key, while one visits."""
    wsgi = (platform.playbook.source / "wsgi.py").read_text()
    newer = platform.playbook.commit("wsgi.py", f"{wsgi}\n# Changed.\n")
    secret_key = platform.nodes[0].output(SUM_OF_THE_KEY)
    platform.nodes[1].run("rm /etc/latchkey/secret_key")
    start_visitor(platform.nodes[0])
    run = platform.playbook.run()
    answers = stop_visitor(platform.nodes[0])
    assert run.succeeded, run.output
    return Upgrade(newer, secret_key, answers)


def test_rolling_upgrade_answers_every_request(platform: Platform, upgrade: Upgrade):
    assert len(upgrade.answers) > 10
    assert set(upgrade.answers) == {"200"}
    served = platform.on_each("basename $(readlink -f /opt/latchkey/current)")
    assert served == [f"{upgrade.release}-postgres-redis"] * 2


def test_node_that_lost_its_secret_key_gets_that_of_the_others(
    platform: Platform, upgrade: Upgrade
):
    assert platform.on_each(SUM_OF_THE_KEY) == [upgrade.secret_key] * 2


def test_release_that_does_not_start_stops_at_the_first_node(platform: Platform):
    before = platform.on_each("readlink /opt/latchkey/current")
    untouched = platform.nodes[1].show("latchkey.service", "MainPID")
    broken = platform.playbook.commit("gunicorn.conf.py", "raise SystemExit(3)\n")

    run = platform.playbook.run()

    assert not run.succeeded
    assert f"Release {broken} did not become ready" in run.output
    assert platform.on_each("readlink /opt/latchkey/current") == before
    assert platform.nodes[1].show("latchkey.service", "MainPID") == untouched
    assert [platform.direct(node, "/readyz").status for node in platform.nodes] == [
        200,
        200,
    ]


def test_proxy_serves_while_a_node_is_down(platform: Platform):
    platform.nodes[1].run("systemctl stop latchkey.socket latchkey.service")

    answers = [platform.public("/auth/login").status for _ in range(6)]

    platform.nodes[1].run("systemctl start latchkey.socket latchkey.service")
    assert set(answers) == {200}


def test_two_nodes_with_sqlite_are_refused(platform: Platform):
    run = platform.playbook.run(DATABASE_URL="sqlite:////var/lib/latchkey/x.db")

    assert not run.succeeded
    assert "postgresql://USER:PASSWORD@ADDRESS/NAME" in run.output
