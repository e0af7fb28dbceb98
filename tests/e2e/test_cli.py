"""The command line against the reference PDS, with a person at a real browser."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import grant, host
from tests.e2e.command_line import CommandLine
from tests.e2e.laboratory import Laboratory, find
from tests.e2e.visitor import Visitor
from tests.lab.network import Account

TRACKS = "atproto repo:app.relay.track"
TRACK = {"$type": "app.relay.track", "title": "Night train"}
SECRET_PARAMETERS = {"code", "state"}


@pytest.fixture
def machine(lab: Laboratory, tmp_path: Path) -> Iterator[CommandLine]:
    machine = CommandLine(lab.network, tmp_path)
    yield machine
    for run in machine.runs:
        run.process.kill()
        run.process.wait(10)


def approve(page: Page, account: Account, address: str) -> str:
    """Sign in at the host and say yes; return where the browser ends."""
    page.goto(address)
    host.sign_in(page, account)
    host.authorize(page)
    page.wait_for_url("http://127.0.0.1:*/callback?*")
    return page.url


def signs_in(machine: CommandLine, visitor: Visitor, account: Account) -> str:
    """Run `login` with a browser of the person's own; return where that ended."""
    login = machine.starts("login", account.handle, "--no-browser", "--scope", TRACKS)
    ended_at = approve(visitor.page, account, login.address())
    code, answer = login.ends()
    assert (code, answer["did"]) == (0, account.did), answer
    return ended_at


def secrets_of(machine: CommandLine, url: str) -> set[str]:
    """Everything of a sign-in that may not be on the screen."""
    pairs = parse_qsl(urlsplit(url).query)
    found = {value for name, value in pairs if name in SECRET_PARAMETERS}
    for session in machine.sessions():
        found |= {session.access_token, session.refresh_token or ""}
        found.add(session.dpop_key.private_jwk()["d"])
    return found - {""}


def test_a_person_signs_in_writes_a_record_and_signs_out(
    lab: Laboratory, machine: CommandLine, visitor: Visitor, account: Account
) -> None:
    ended_at = signs_in(machine, visitor, account)
    secrets = secrets_of(machine, ended_at)

    expect(visitor.page.locator("h1")).to_have_text("You are signed in")
    assert machine.runs_to_its_end("whoami")[1]["scope"] == TRACKS

    words = [f"repo={account.did}", "collection=app.relay.track"]
    code, written = machine.runs_to_its_end(
        "call",
        "com.atproto.repo.createRecord",
        "-X",
        "POST",
        *words,
        f"record:={json.dumps(TRACK)}",
    )
    assert code == 0, written
    _, listed = machine.runs_to_its_end(
        "call", "com.atproto.repo.listRecords", *words, "limit=5"
    )
    assert [one["value"]["title"] for one in listed["records"]] == ["Night train"]

    [before] = machine.sessions()
    assert machine.runs_to_its_end("refresh")[0] == 0
    [after] = machine.sessions()
    assert after.refresh_token != before.refresh_token
    secrets |= secrets_of(machine, ended_at)
    files = [path for path in machine.state.iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}

    assert machine.runs_to_its_end("logout")[0] == 0
    assert not machine.sessions()
    refused = grant.refresh(after, client_key=None, ca=lab.network.ca)
    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_grant"
    assert len(secrets) == 7
    assert find(secrets, [("the screen", machine.printed())]) == []


def test_a_permission_that_was_not_granted_is_named(
    machine: CommandLine, visitor: Visitor, account: Account
) -> None:
    signs_in(machine, visitor, account)

    code, answer = machine.runs_to_its_end(
        "call",
        "com.atproto.repo.createRecord",
        "-X",
        "POST",
        f"repo={account.did}",
        "collection=app.relay.playlist",
        'record:={"$type":"app.relay.playlist"}',
    )

    assert code == 6
    assert "repo:app.relay.playlist" in answer["scope"]
    assert f"login {account.handle} --scope" in answer["error_description"]


def test_a_person_who_cancels_is_not_signed_in(
    machine: CommandLine, visitor: Visitor, account: Account
) -> None:
    login = machine.starts("login", account.handle, "--no-browser")

    visitor.page.goto(login.address())
    host.cancel(visitor.page)
    visitor.page.wait_for_url("http://127.0.0.1:*/callback?*")

    expect(visitor.page.locator("h1")).to_have_text("You did not sign in")
    code, answer = login.ends()
    assert (code, answer["error"]) == (4, "access_denied")
    assert not machine.sessions()


def test_a_wait_that_is_interrupted_ends_quietly(
    machine: CommandLine, account: Account
) -> None:
    login = machine.starts("login", account.handle, "--no-browser")
    login.address()
    login.process.send_signal(signal.SIGINT)

    code, answer = login.ends()

    assert (code, answer["error"]) == (130, "interrupted")
    assert "Traceback" not in machine.printed()


def test_an_address_is_brought_from_another_machine(
    machine: CommandLine, visitor: Visitor, account: Account
) -> None:
    login = machine.starts("login", account.handle, "--paste")
    address = login.address()
    visitor.page.goto(address)
    host.sign_in(visitor.page, account)

    with visitor.page.expect_event("requestfailed") as unreachable:
        host.authorize(visitor.page)
    code, answer = login.ends(pasted=f"{unreachable.value.url}\n")

    assert (code, answer["did"]) == (0, account.did), answer
    secrets = secrets_of(machine, unreachable.value.url)
    assert len(secrets) == 5
    assert find(secrets, [("the screen", machine.printed())]) == []


def test_strays_do_not_end_the_wait(
    machine: CommandLine, visitor: Visitor, account: Account
) -> None:
    login = machine.starts("login", account.handle, "--no-browser")
    address = login.address()
    [port] = ports_of(login.process.pid)

    assert knocks(port, "/callback?code=x&state=guessed") == 400
    assert knocks(port, "/favicon.ico") == 404
    assert knocks(port, "/callback", host="attacker.example") == 400
    assert knocks(port, "/callback", method="POST") == 405
    approve(visitor.page, account, address)

    assert login.ends()[0] == 0


def ports_of(process: int) -> list[int]:
    """The ports at which a process listens; on 127.0.0.1 they have to be."""
    lines = Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]
    mine = {
        path.readlink().name
        for path in Path(f"/proc/{process}/fd").iterdir()
        if path.readlink().name.startswith("socket:")
    }
    found = []
    for line in lines:
        columns = line.split()
        if columns[3] == "0A" and f"socket:[{columns[9]}]" in mine:
            address, port = columns[1].split(":")
            assert address == "0100007F"
            found.append(int(port, 16))
    return found


def knocks(
    port: int, path: str, *, method: str = "GET", host: str | None = None
) -> int:
    """Make a request at the listener; return the status."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Host": host} if host else {}
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
