"""The client's command line as a process of its own, a service, a host and a browser.

Over HTTP and over gRPC; where it makes no difference, over HTTP.
No secret of the app is seen on its screen or in the service's log.
"""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from playwright.sync_api import expect
from sqlalchemy import text

from tests.e2e import host, listener
from tests.e2e.command_line import Started
from tests.e2e.laboratory import Laboratory
from tests.e2e.terminal import Terminal, code_of
from tests.e2e.visitor import Visitor
from tests.e2e.wire import Wire
from tests.lab.network import Account
from tests.lab.processes import get, session

EVERY_WAY = ["dev-http", "prod_like-http", "dev-grpc"]
IN_CLEAR = ["dev-http", "dev-grpc"]
BY_HTTP = ["dev-http"]

DONE, DENIED, EXPIRED, NOT_SIGNED_IN = 0, 3, 4, 7
EXPIRE = "UPDATE native_logins SET expires_at = :at WHERE user_code = :code"


@pytest.fixture
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """In which laboratory the app speaks which protocol."""
    laboratory, _, protocol = request.param.partition("-")
    return laboratory, protocol


@pytest.fixture
def lab(request: pytest.FixtureRequest, way: tuple[str, str]) -> Laboratory:
    laboratory: Laboratory = request.getfixturevalue(way[0])
    return laboratory


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest,
    lab: Laboratory,
    way: tuple[str, str],
    tmp_path: Path,
) -> Iterator[Terminal]:
    transport: list[str] = []
    if way[1] == "grpc":
        transport = ["--grpc", request.getfixturevalue("target")]
    terminal = Terminal(lab.network, tmp_path, lab=lab, transport=transport)
    yield terminal
    for run in terminal.runs:
        run.process.kill()
        run.process.communicate(timeout=60)
    assert terminal.secrets
    assert terminal.leaks() == []


@pytest.fixture
def wire(lab: Laboratory, terminal: Terminal) -> Iterator[Wire]:
    """A wire between the terminal and the service, for HTTP and gRPC."""
    is_grpc = "--grpc" in terminal.transport

    def connect() -> socket.socket:
        if not is_grpc:
            return socket.create_connection((address.hostname, address.port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(listener.socket_of(lab)))
        return far

    address = urlsplit(lab.service.url)
    with Wire(connect) as wire:
        if is_grpc:
            terminal.transport = ["--grpc", f"127.0.0.1:{wire.port}"]
        else:
            terminal.server_url = f"http://127.0.0.1:{wire.port}"
        yield wire


@pytest.fixture
def member(visitor: Visitor, account: Account) -> Account:
    """A person who is signed in at the browser, with a username."""
    visitor.become(account, account.handle.partition(".")[0])
    return account


def approve(visitor: Visitor, run: Started, account: Account) -> None:
    """Follow the app's link, up to the question that names the app and its code."""
    visitor.page.goto(run.address())
    visitor.approve(account)
    is_asked(visitor, run)


def is_asked(visitor: Visitor, run: Started) -> None:
    assert visitor.path == "/auth/native/confirm"
    question = visitor.page.inner_text("main")
    assert "Sketch" in question
    assert code_of(run) in question


def say_yes(visitor: Visitor) -> None:
    visitor.press("Allow")
    expect(visitor.page.locator("h1")).to_have_text("You can go back to the app")


def say_no(visitor: Visitor) -> None:
    visitor.press("Don't allow")
    expect(visitor.page.locator("h1")).to_have_text("Access denied")


def ask_who_i_am(lab: Laboratory, token: str) -> requests.Response:
    with session(lab.network.ca) as http:
        return http.get(
            f"{lab.service.url}/auth/session",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )


def expire(lab: Laboratory, code: str, at: float) -> None:
    """Let a login be over at some time, without half an hour's wait."""
    with lab.vault.database.write() as connection:
        changed = connection.execute(text(EXPIRE), {"at": int(at), "code": code})
    assert changed.rowcount == 1


@contextmanager
def service_down(lab: Laboratory, terminal: Terminal) -> Iterator[None]:
    """Stop the service, and what speaks gRPC for it; start both again as they were."""
    processes = lab.network.processes
    with processes.without(lab.service.program.name):
        if "--grpc" in terminal.transport:
            with processes.without(listener.NAME):
                yield
        else:
            yield


@pytest.mark.parametrize("way", EVERY_WAY, indirect=True)
def test_a_person_signs_in_and_the_token_is_good_everywhere(
    lab: Laboratory, terminal: Terminal, visitor: Visitor, member: Account
) -> None:
    mine = visitor.token
    run = terminal.logs_in(member.handle)
    approve(visitor, run, member)
    say_yes(visitor)

    code, told = terminal.is_told(run)

    assert (code, told["did"]) == (DONE, member.did), told
    assert "token" not in told
    assert stat.S_IMODE(terminal.file.stat().st_mode) == 0o600
    assert terminal.runs_to_its_end("session") == (DONE, told)
    assert visitor.token == mine
    keys = get(f"{lab.service.url}/.well-known/jwks.json", ca=lab.network.ca).json()
    header = jwt.get_unverified_header(terminal.token())
    claims = jwt.decode(
        terminal.token(),
        jwt.PyJWKSet.from_dict(keys)[header["kid"]],
        algorithms=["RS256"],
        issuer=lab.service.url,
        audience=lab.service.url,
    )
    assert (claims["sub"], claims["username"]) == (member.did, told["username"])
    assert ask_who_i_am(lab, terminal.token()).json()["did"] == member.did


@pytest.mark.parametrize("way", EVERY_WAY, indirect=True)
def test_a_newcomer_picks_a_username_on_the_way(
    lab: Laboratory, terminal: Terminal, visitor: Visitor, account: Account
) -> None:
    run = terminal.logs_in(account.handle)
    visitor.page.goto(run.address())
    visitor.approve(account)
    assert visitor.path == "/auth/signup"
    visitor.choose_username(f"new{account.handle.partition('.')[0]}")
    is_asked(visitor, run)
    say_yes(visitor)

    code, told = terminal.is_told(run)

    assert (code, told["username"]) == (DONE, f"new{account.handle.partition('.')[0]}")
    assert terminal.runs_to_its_end("session") == (DONE, told)
    assert visitor.token is None


@pytest.mark.parametrize("way", EVERY_WAY, indirect=True)
def test_forwarded_link_with_another_code_is_denied(
    lab: Laboratory, terminal: Terminal, visitor: Visitor, member: Account
) -> None:
    """The terminal is a stranger's; who follows the link has never seen its code."""
    run = terminal.logs_in(member.handle)
    approve(visitor, run, member)
    say_no(visitor)

    code, told = terminal.is_told(run)

    assert (code, told["error"]) == (DENIED, "login_denied")
    assert not terminal.file.exists()
    assert terminal.runs_to_its_end("session")[0] == NOT_SIGNED_IN
    assert visitor.whoami()["did"] == member.did
    assert len(lab.vault.oauth_sessions(member.did)) == 1


@pytest.mark.parametrize("way", IN_CLEAR, indirect=True)
def test_cancel_at_the_host_denies_the_app(
    lab: Laboratory, terminal: Terminal, visitor: Visitor, account: Account
) -> None:
    run = terminal.logs_in(account.handle)
    visitor.page.goto(run.address())
    host.cancel(visitor.page)
    visitor.come_back()

    code, told = terminal.is_told(run)

    assert (code, told["error"]) == (DENIED, "login_denied")
    assert visitor.heading == "Access denied"
    assert terminal.runs_to_its_end("session")[0] == NOT_SIGNED_IN
    assert lab.vault.oauth_sessions(account.did) == []


@pytest.mark.parametrize("way", IN_CLEAR, indirect=True)
def test_a_connection_that_was_cut_costs_nothing(
    terminal: Terminal, wire: Wire, visitor: Visitor, member: Account
) -> None:
    """The person answers while the app hears nothing."""
    run = terminal.logs_in(member.handle)
    wire.wait_for_requests(2)  # the start, and the await
    with wire.cut():
        run.says("Trying again: .+")
        approve(visitor, run, member)
        say_yes(visitor)

    code, told = terminal.is_told(run)

    assert (code, told["did"]) == (DONE, member.did), told
    assert wire.answered >= 3


@pytest.mark.parametrize("way", EVERY_WAY, indirect=True)
def test_a_restart_between_start_and_callback_costs_nothing(
    lab: Laboratory, terminal: Terminal, visitor: Visitor, member: Account
) -> None:
    run = terminal.logs_in(member.handle)
    visitor.page.goto(run.address())
    host.sign_in(visitor.page, member)
    with service_down(lab, terminal):
        run.says("Trying again: .+")
    host.authorize(visitor.page)
    visitor.come_back()
    is_asked(visitor, run)
    say_yes(visitor)

    code, told = terminal.is_told(run)

    assert (code, told["did"]) == (DONE, member.did), told


@pytest.mark.parametrize("way", IN_CLEAR, indirect=True)
def test_unfinished_login_expires_while_the_app_waits(
    lab: Laboratory, terminal: Terminal, wire: Wire, account: Account
) -> None:
    run = terminal.logs_in(account.handle)
    wire.wait_for_requests(2)
    with wire.cut():
        expire(lab, code_of(run), time.time() + 3)

    code, told = terminal.is_told(run)

    assert (code, told["error"]) == (EXPIRED, "login_expired")
    assert terminal.runs_to_its_end("session")[0] == NOT_SIGNED_IN


@pytest.mark.parametrize("way", IN_CLEAR, indirect=True)
def test_an_app_that_was_killed_goes_on_where_it_was(
    terminal: Terminal, visitor: Visitor, member: Account
) -> None:
    killed = terminal.logs_in(member.handle)
    killed.process.kill()
    killed.process.wait(10)
    approve(visitor, killed, member)
    say_yes(visitor)

    code, told = terminal.is_told(terminal.starts("resume"))

    assert (code, told["did"]) == (DONE, member.did), told


@pytest.mark.parametrize("way", BY_HTTP, indirect=True)
def test_the_account_page_lists_the_app_and_ends_it(
    lab: Laboratory, terminal: Terminal, visitor: Visitor, member: Account
) -> None:
    run = terminal.logs_in(member.handle)
    approve(visitor, run, member)
    say_yes(visitor)
    assert terminal.is_told(run)[0] == DONE
    visitor.open("/auth/account")
    # The list of events names the app as well, before and after.
    devices = visitor.page.get_by_role("region", name="Where you are signed in")
    row = devices.get_by_role("listitem").filter(has_text="Sketch")
    expect(row.get_by_text("app", exact=True)).to_be_visible()
    row.get_by_role("button", name="Sign out there").click()
    expect(visitor.page.locator("#notice")).to_contain_text("Signed out there")
    expect(row).to_have_count(0)

    refused = ask_who_i_am(lab, terminal.token())

    assert refused.status_code == 401
    assert visitor.whoami()["did"] == member.did
    assert len(lab.vault.oauth_sessions(member.did)) == 1


@pytest.mark.parametrize("way", EVERY_WAY, indirect=True)
def test_signing_out_ends_the_session_here_and_at_the_service(
    lab: Laboratory, terminal: Terminal, visitor: Visitor, member: Account
) -> None:
    run = terminal.logs_in(member.handle)
    approve(visitor, run, member)
    say_yes(visitor)
    assert terminal.is_told(run)[0] == DONE
    token = terminal.token()

    code, told = terminal.runs_to_its_end("logout")

    assert (code, told["was_signed_in"], told["session_ended"]) == (DONE, True, True)
    assert not terminal.file.exists()
    assert terminal.runs_to_its_end("session")[0] == NOT_SIGNED_IN
    assert ask_who_i_am(lab, token).status_code == 401
    assert visitor.whoami()["did"] == member.did
    assert len(lab.vault.oauth_sessions(member.did)) == 1
    assert terminal.runs_to_its_end("logout")[1] == {"was_signed_in": False}
