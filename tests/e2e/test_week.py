"""A week of an app on one approval: its clock is 30 s off, the service is killed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.laboratory import Laboratory
from tests.e2e.terminal import Terminal
from tests.e2e.test_native_client import DONE, approve, ask_who_i_am, say_yes
from tests.e2e.visitor import Visitor
from tests.e2e.wire import Wire
from tests.lab.clocks import Clock
from tests.lab.network import Account, free_port
from tests.lab.service import start_in_development

DAY = 86_400
OFF = (30, -30)
NAME = "week"


@dataclass(kw_only=True)
class ApartTerminal(Terminal):
    """A terminal with a clock of its own."""

    clock: Clock

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"PYTHONPATH": str(self.clock.folder)}


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """The clock of the service."""
    return Clock.made(tmp_path / "clock")


@pytest.fixture
def lab(dev: Laboratory, clock: Clock) -> Iterator[Laboratory]:
    """A service whose time goes on as a test says."""
    service = start_in_development(
        dev.network,
        port=free_port(),
        name=NAME,
        settings={"PYTHONPATH": str(clock.folder)},
    )
    lab = dev.beside(service)
    yield lab
    assert lab.leaks() == []
    lab.vault.database.close()


@pytest.fixture
def terminal(lab: Laboratory, tmp_path: Path) -> ApartTerminal:
    apart = Clock.made(tmp_path / "clock-of-the-app")
    return ApartTerminal(lab.network, tmp_path, lab=lab, clock=apart)


@pytest.fixture
def wire(lab: Laboratory, terminal: ApartTerminal) -> Iterator[Wire]:
    """The wire between the app and the service."""
    address = urlsplit(lab.service.url)
    with Wire(
        lambda: socket.create_connection((address.hostname, address.port))
    ) as wire:
        terminal.server_url = f"http://127.0.0.1:{wire.port}"
        yield wire


def test_app_lives_for_a_week_on_one_approval(
    lab: Laboratory,
    clock: Clock,
    terminal: ApartTerminal,
    wire: Wire,
    visitor: Visitor,
    account: Account,
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    run = terminal.logs_in(account.handle)
    approve(visitor, run, account)
    say_yes(visitor)
    assert terminal.is_told(run)[0] == DONE
    tokens = {terminal.token()}

    for day in range(1, 8):
        clock.set(day * DAY)
        terminal.clock.set(day * DAY + OFF[day % 2])
        if day == 4:
            kill_while_it_refreshes(lab, terminal, wire)
        code, told = terminal.runs_to_its_end("session")
        terminal.learn()
        assert (code, told["did"]) == (DONE, account.did), (day, told)
        assert ask_who_i_am(lab, terminal.token()).status_code == 200
        tokens.add(terminal.token())

    assert len(tokens) == 8


def kill_while_it_refreshes(
    lab: Laboratory, terminal: ApartTerminal, wire: Wire
) -> None:
    """Kill the service when the app has asked for a token; start it again."""
    processes, asked = lab.network.processes, wire.asked
    run = terminal.starts("session")
    wire.wait_for_requests(asked + 1)
    processes.kill(NAME)
    run.ends()
    terminal.learn()
    processes.start_again(NAME)
