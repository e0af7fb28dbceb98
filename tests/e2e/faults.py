"""Faults of several nodes: each is applied for the time of a block, under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import create_engine

from tests.e2e.crowd import BROKEN, OUTAGE, Crowd
from tests.e2e.nodes import Nodes
from tests.lab.network import NODE_NAMES

PAUSE_OF_POSTGRESQL = 30.0
SOME = 30
"""Answers that are waited for before, in and after a fault."""

READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = {}"
Apply = Callable[[Nodes, Crowd], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """What is done, and what people may see of it meanwhile."""

    apply: Apply
    seen: frozenset[str] = OUTAGE


@contextmanager
def deployed(nodes: Nodes, crowd: Crowd) -> Iterator[None]:
    """Restart one node after the other, as the playbook does."""
    for node in NODE_NAMES:
        with nodes.network.processes.without(f"node-{node}"):
            crowd.wait_for(SOME)
    yield


@contextmanager
def killed(nodes: Nodes, crowd: Crowd, *, node: str) -> Iterator[None]:
    """Kill a node three times, each time after a refresh under load.

    Not within one: `test_node_killed_in_the_middle_of_a_refresh_...` does that.
    """
    for _ in range(3):
        nodes.end_access(crowd.people[0])
        nodes.wait_until_refreshed(crowd.people[0])
        nodes.network.processes.kill(f"node-{node}")
        crowd.wait_for(SOME)
        nodes.network.processes.start_again(f"node-{node}")
    yield


@contextmanager
def restarted(nodes: Nodes, crowd: Crowd) -> Iterator[None]:
    """Shut PostgreSQL down and start it again."""
    with nodes.database.down():
        crowd.wait_for(SOME)
    yield


@contextmanager
def paused(nodes: Nodes, _crowd: Crowd) -> Iterator[None]:
    """Stop every process of PostgreSQL for half a minute."""
    with nodes.database.paused():
        time.sleep(PAUSE_OF_POSTGRESQL)
    yield


@contextmanager
def read_only(nodes: Nodes, crowd: Crowd) -> Iterator[None]:
    """Let PostgreSQL take no write, as a standby does."""
    for value in ("on", "off"):
        _administer(nodes, READ_ONLY.format(value), "SELECT pg_reload_conf()")
        crowd.wait_for(4 * SOME)
    yield


@contextmanager
def without(nodes: Nodes, crowd: Crowd, *, program: str) -> Iterator[None]:
    """End a program of the network: everyone's host."""
    with nodes.network.processes.without(program):
        crowd.wait_for(SOME)
    yield


@contextmanager
def without_directory(nodes: Nodes, crowd: Crowd) -> Iterator[None]:
    """Let the PLC directory refuse connections; ended, it would forget everyone."""
    with nodes.network.processes.refusing("plc"):
        crowd.wait_for(SOME)
    yield


def _administer(nodes: Nodes, *statements: str) -> None:
    engine = create_engine(
        nodes.database.url.replace("postgresql:", "postgresql+psycopg:", 1),
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


FAULTS: Final[dict[str, Fault]] = {
    "both nodes are deployed to, one after the other": Fault(deployed, frozenset()),
    "node a is killed three times": Fault(partial(killed, node="a"), OUTAGE | {BROKEN}),
    "node b is killed three times": Fault(partial(killed, node="b"), OUTAGE | {BROKEN}),
    "PostgreSQL restarts": Fault(restarted),
    "PostgreSQL pauses for 30 s": Fault(paused),
    "PostgreSQL takes no write": Fault(read_only),
    "the PLC directory is down": Fault(without_directory),
    "the people's host is down": Fault(partial(without, program="pds")),
}
