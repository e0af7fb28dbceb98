"""One node whose disk and database fail under load: what people see, and what is lost.

`make faults` runs these and those of several nodes (test_nodes.py).
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.crowd import OUTAGE, Crowd, Person
from tests.e2e.laboratory import Laboratory
from tests.e2e.test_nodes import tell, tell_that_nothing_is_lost
from tests.e2e.visitor import Visitor
from tests.lab.network import ALONE, Account
from tests.lab.processes import NotHealthy
from tests.lab.service import start_in_production

SOME = 30


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Mount a file system of its own for the database."""
    path = tmp_path_factory.mktemp("disk")
    mounted = ["mount", "-t", "tmpfs", "-o", "size=1g,mode=0700", "latchkey", path]
    if subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts no file system")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture(scope="module")
def alone(prod_like: Laboratory, disk: Path) -> Iterator[Laboratory]:
    """A platform of one node on that disk."""
    url = f"sqlite:///{disk}/latchkey.db"
    service = start_in_production(prod_like.network, host=ALONE, database_url=url)
    laboratory = prod_like.beside(service)
    yield laboratory
    laboratory.vault.database.close()


@pytest.fixture(scope="module")
def alice(alone: Laboratory) -> Iterator[Person]:
    with alone.person() as person:
        yield person


@contextmanager
def full(alone: Laboratory, disk: Path, crowd: Crowd) -> Iterator[None]:
    """Fill the disk."""
    ballast = disk / "ballast"
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={ballast}", "bs=1M"],
        check=False,
        capture_output=True,
    )
    crowd.wait_for(5 * SOME)
    ballast.unlink()
    yield


@contextmanager
def locked(alone: Laboratory, disk: Path, crowd: Crowd) -> Iterator[None]:
    """Hold the write lock of the database, as a forgotten shell does."""
    with closing(sqlite3.connect(disk / "latchkey.db", isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        crowd.wait_for(2 * SOME)
    yield


@contextmanager
def wrong_key(alone: Laboratory, disk: Path, crowd: Crowd) -> Iterator[None]:
    """Start the service with another secret key: it must refuse to."""
    file = Path(alone.service.environment["LATCHKEY_SECRET_KEY_FILE"])
    right = file.read_text()
    processes = alone.network.processes
    processes.kill(ALONE)
    file.write_text("A" * len(right))
    with pytest.raises(NotHealthy, match="SECRET_KEY"):
        processes.start_again(ALONE)
    file.write_text(right)
    processes.start_again(ALONE)
    yield


Apply = Callable[[Laboratory, Path, Crowd], AbstractContextManager[None]]
FAULTS: dict[str, Apply] = {
    "the disk is full": full,
    "another program locks the database": locked,
    "the secret key is another one": wrong_key,
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_the_only_node_loses_no_session_and_no_login(
    alone: Laboratory,
    disk: Path,
    alice: Person,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account = alone.new_account("n")
    with alone.visitor() as visitor:
        visitor.open_login()
        visitor.identify_as(account.handle)
        with Crowd(alone.ask, [alice]) as crowd:
            crowd.wait_for(SOME)
            with FAULTS[name](alone, disk, crowd):
                crowd.wait_for(2 * SOME)

        tell(capsys, name, crowd)
        assert not crowd.unexpected(OUTAGE | {"broken"})
        assert crowd.seen["keys 200"]
        require_finished(visitor, alone, alice, account)
        tell_that_nothing_is_lost(capsys)


def require_finished(
    visitor: Visitor, alone: Laboratory, alice: Person, account: Account
) -> None:
    """Finish the login that began before; the other person is signed in."""
    visitor.approve(account)
    visitor.choose_username(account.handle.partition(".")[0])
    assert visitor.whoami()["did"] == account.did
    answer = alone.ask("/auth/session", cookies=alice.cookies)
    assert answer.json()["did"] == alice.account.did
