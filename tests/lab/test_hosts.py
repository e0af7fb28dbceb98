from __future__ import annotations

import pytest

from tests.lab.hosts import HostsInUse, named

BEFORE = "127.0.0.1 localhost\n# a comment\n"


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(BEFORE)
    return path


def test_names_stand_while_the_block_runs_and_no_longer(hosts):
    with named(["pds.test", "plc.test"], path=hosts):
        assert "127.0.0.1 pds.test" in hosts.read_text()
        assert "127.0.0.1 plc.test" in hosts.read_text()

    assert hosts.read_text() == BEFORE


def test_names_go_when_the_block_fails(hosts):
    with pytest.raises(ZeroDivisionError), named(["pds.test"], path=hosts):
        _ = 1 / 0

    assert hosts.read_text() == BEFORE


def test_what_a_killed_run_left_behind_goes_with_the_next(hosts):
    hosts.write_text(f"{BEFORE}127.0.0.1 pds.test # latchkey-lab\n")

    with named(["plc.test"], path=hosts):
        assert "pds.test" not in hosts.read_text()

    assert hosts.read_text() == BEFORE


def test_what_others_write_meanwhile_stays(hosts):
    with named(["pds.test"], path=hosts), hosts.open("a") as file:
        file.write("127.0.0.1 mine.test\n")

    assert hosts.read_text() == f"{BEFORE}127.0.0.1 mine.test\n"


def test_two_laboratories_do_not_share_the_file(hosts):
    with (
        named(["pds.test"], path=hosts),
        pytest.raises(HostsInUse),
        named(["plc.test"], path=hosts),
    ):
        pass
