from __future__ import annotations

import pytest

from tests.lab.hosts import HostsInUse, named

BEFORE = "127.0.0.1 localhost\n# a comment\n"


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(BEFORE)
    return path


def test_host_names_are_in_etc_hosts_during_the_block_only(hosts):
    with named(["pds.test", "plc.test"], path=hosts):
        assert "127.0.0.1 pds.test" in hosts.read_text()
        assert "127.0.0.1 plc.test" in hosts.read_text()

    assert hosts.read_text() == BEFORE


def test_host_names_are_removed_after_an_exception(hosts):
    with pytest.raises(ZeroDivisionError), named(["pds.test"], path=hosts):
        _ = 1 / 0

    assert hosts.read_text() == BEFORE


def test_host_names_of_a_killed_run_are_removed_by_the_next(hosts):
    hosts.write_text(f"{BEFORE}127.0.0.1 pds.test # latchkey-lab\n")

    with named(["plc.test"], path=hosts):
        assert "pds.test" not in hosts.read_text()

    assert hosts.read_text() == BEFORE


def test_lines_that_others_add_to_etc_hosts_are_kept(hosts):
    with named(["pds.test"], path=hosts), hosts.open("a") as file:
        file.write("127.0.0.1 mine.test\n")

    assert hosts.read_text() == f"{BEFORE}127.0.0.1 mine.test\n"


def test_second_laboratory_on_the_same_hosts_file_is_refused(hosts):
    with (
        named(["pds.test"], path=hosts),
        pytest.raises(HostsInUse),
        named(["plc.test"], path=hosts),
    ):
        pass
