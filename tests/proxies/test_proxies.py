"""nginx, Caddy and HAProxy ask us, by the configuration of docs/forward-auth.md.

They are Debian packages; `make e2e-install` installs them.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.fakes.browser import Browser, query_of
from tests.fakes.certificates import Authority
from tests.fakes.world import World
from tests.journeys.people.commands import runs
from tests.lab.processes import Processes
from tests.printed import shown
from tests.proxies import backend
from tests.proxies.running import (
    HOST,
    MODULES,
    START,
    Answer,
    Wiring,
    ask,
    connected,
    send,
)
from tests.service import HOME, Service, opening

pytestmark = pytest.mark.process

ALICE = "alice.skyhost.social"
PAGE = "/members/42?page=2&sort=new"
NAVIGATION = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")]
HALF_A_DAY = 12 * 3600


@dataclass(frozen=True)
class Setup:
    """A proxy between a client, the sign-in service and a service behind it."""

    wiring: Wiring
    service: Service
    asked: list[str]
    """The method of each request that reached the sign-in service."""
    processes: Processes

    def asks(
        self, *headers: tuple[str, str], method: str = "GET", body: bytes = b""
    ) -> Answer:
        """Send a request for the page."""
        return ask(self.wiring, method, PAGE, list(headers), body)


@pytest.fixture(scope="module", params=START)
def setup(
    request: pytest.FixtureRequest, prepared: Any, tmp_path_factory: Any
) -> Iterator[Setup]:
    """Each proxy, started once."""
    _require(request.param)
    world, asked = World(), []
    folder = Path(tempfile.mkdtemp(prefix="proxy-"))  # a socket's path is short
    authority = Authority(folder)
    authority.context_for(HOST)

    def made() -> Path:
        return Path(tmp_path_factory.mktemp("service"))

    with (
        opening(world, prepared, made) as open_one,
        backend.serving() as serves,
        Processes(folder) as processes,
    ):
        service: Service = open_one()
        service.browser().signs_in(ALICE, username="alice")
        server = make_server("127.0.0.1", 0, _noting(service.app, asked), threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        wiring = Wiring(
            folder=folder,
            certificate=folder / f"{HOST}.pem",
            asks=server.server_port,
            serves=serves,
        )
        START[request.param](processes, wiring)
        yield Setup(wiring, service, asked, processes)
        server.shutdown()
        thread.join()
    shutil.rmtree(folder)


def _require(proxy: str) -> None:
    program = proxy.partition("-")[0]
    has_modules = (MODULES / "ngx_http_set_misc_module.so").exists()
    found = shutil.which(program, path="/usr/sbin:/usr/bin")
    if found is None or (proxy == "nginx-cache" and not has_modules):
        pytest.skip(f"{proxy} is not installed; `make e2e-install` does it")


def _noting(app: Any, asked: list[str]) -> Callable[..., Any]:
    def noting(environ: dict[str, Any], start_response: Any) -> Any:
        asked.append(environ["REQUEST_METHOD"])
        return app(environ, start_response)

    return noting


@pytest.fixture
def alice(setup: Setup) -> Browser:
    browser = setup.service.browser()
    browser.signs_in(ALICE)
    return browser


_requests = itertools.count(1)


def token_of(browser: Browser) -> str:
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    return str(cookie.value)


def cookie_of(browser: Browser) -> tuple[str, str]:
    """Return the header of one request: no cache has seen it."""
    number = next(_requests)
    return ("Cookie", f"theirs={number}; platform_token={token_of(browser)}")


def seen(answer: Answer) -> dict[str, Any]:
    """Return the request that the service behind the proxy got."""
    assert answer.status == 200, answer.body
    asked: dict[str, Any] = json.loads(answer.body)
    return asked


def named(asked: dict[str, Any]) -> dict[str, list[str]]:
    """Return all that a framework reads as our headers."""
    found: dict[str, list[str]] = {}
    for written, value in asked["headers"]:
        _, ours, name = written.replace("_", "-").partition("x-auth-request-")
        if ours:
            found.setdefault(name, []).append(value)
    return found


def renewed(answer: Answer) -> str | None:
    """Return the token in the cookies of an answer."""
    for header in answer.headers.get_all("Set-Cookie", []):
        if "platform_token" in (cookie := SimpleCookie(header)):
            assert cookie["platform_token"]["domain"] == "platform.cafe"
            return cookie["platform_token"].value
    return None


def test_person_is_named_and_what_the_client_says_is_not_passed(
    setup: Setup, alice: Browser
) -> None:
    forged = [
        (f"X{line}Auth{line}Request{line}{name}", "root")
        for line in "-_"
        for name in ("User", "Did", "Handle", "Session", "Groups")
    ]

    cookie = cookie_of(alice)

    asked = seen(setup.asks(cookie, *forged))

    assert (asked["method"], asked["path"]) == ("GET", PAGE)
    told = named(asked)
    assert told["user"] == ["alice"]
    assert told["did"] == [setup.service.world.alice.did]
    assert told["handle"] == [ALICE]
    assert len(told["session"][0]) == 22
    assert [
        value for values in told.values() for value in values if value == "root"
    ] == []
    assert dict(asked["headers"])["cookie"] == cookie[1]


def test_stranger_is_led_to_login_and_back(setup: Setup) -> None:
    answer = setup.asks(*NAVIGATION)

    assert answer.status == 302
    location = answer.headers["Location"]
    assert location.startswith(f"{HOME}/auth/login?")
    assert query_of(location) == {"return_to": f"https://{HOST}{PAGE}"}


def test_port_of_the_service_is_handed_on(setup: Setup) -> None:
    """On a domain `return_to` takes no port, so nothing leads to the default one."""
    answer = setup.asks(*NAVIGATION, ("Host", f"{HOST}:8443"))

    assert answer.status == 302
    assert answer.headers["Location"] == f"{HOME}/auth/login"


def test_background_request_of_a_stranger_gets_no_page_of_the_service(
    setup: Setup,
) -> None:
    answer = setup.asks(("Sec-Fetch-Mode", "cors"), ("Accept", "*/*"))

    assert answer.status in {401, 302}  # nginx turns each 401 of this location into 302
    assert b"members" not in answer.body


def test_body_of_a_post_reaches_the_service_alone(setup: Setup, alice: Browser) -> None:
    body = b"text=hello" * 1_000

    asked = seen(setup.asks(cookie_of(alice), method="POST", body=body))

    assert (asked["method"], asked["body"]) == ("POST", body.decode())
    assert named(asked)["user"] == ["alice"]
    assert setup.asks(method="POST", body=body).status in {302, 401}


def test_foreign_bearer_falls_back_to_the_cookie_and_reaches_the_service(
    setup: Setup, alice: Browser
) -> None:
    theirs = ("Authorization", "Bearer glsa_AbCdEf0123456789")

    asked = seen(setup.asks(cookie_of(alice), theirs))

    assert named(asked)["user"] == ["alice"]
    assert dict(asked["headers"])["authorization"] == theirs[1]
    assert setup.asks(theirs).status in {302, 401}


def test_bearer_token_of_ours_passes(setup: Setup, alice: Browser) -> None:
    asked = seen(setup.asks(("Authorization", f"Bearer {token_of(alice)}")))

    assert named(asked)["user"] == ["alice"]


def test_websocket_is_upgraded_with_the_cookie_alone(
    setup: Setup, alice: Browser
) -> None:
    upgrade = [
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-Fetch-Mode", "websocket"),
        ("Origin", f"https://{HOST}"),
    ]

    with connected(setup.wiring) as connection:
        send(connection, "GET", PAGE, [*upgrade, cookie_of(alice)])
        answer = connection.makefile("rb")
        lines = list(iter(answer.readline, b"\r\n"))
        frame = answer.read(7)

    assert lines[0].split()[1] == b"101"
    assert any(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in line for line in lines)
    assert frame == b"\x81\x05alice"
    assert setup.asks(*upgrade).status in {302, 401}


def test_renewed_cookie_reaches_the_browser_beside_the_cookies_of_the_service(
    setup: Setup, alice: Browser
) -> None:
    assert renewed(setup.asks(cookie_of(alice))) is None
    setup.service.world.clock.advance(HALF_A_DAY)

    answer = setup.asks(cookie_of(alice))

    fresh = renewed(answer)
    assert fresh is not None
    assert "theirs=1" in answer.headers.get_all("Set-Cookie", [])
    assert named(seen(setup.asks(("Cookie", f"platform_token={fresh}"))))["user"]
    assert renewed(setup.asks(cookie_of(alice), method="HEAD")) is None
    assert renewed(setup.asks(cookie_of(alice), ("Sec-Purpose", "prefetch"))) is None


def test_disabled_account_sees_our_page_on_the_host_of_the_service(
    setup: Setup, alice: Browser
) -> None:
    seen(setup.asks(cookie_of(alice)))
    runs(setup.service, "users", "disable", "alice", "--yes")
    setup.service.rows("UPDATE sessions SET ended_at = NULL")
    setup.service.world.clock.advance(10)

    answer = setup.asks(cookie_of(alice), *NAVIGATION)

    runs(setup.service, "users", "enable", "alice")
    assert answer.status == 403
    assert b'data-error="account_disabled"' in answer.body
    assert f"style-src {HOME}" in answer.headers["Content-Security-Policy"]


# --- nginx's cache --------------------------------------------------------------------

cached = pytest.mark.parametrize("setup", ["nginx-cache"], indirect=True)


@cached
def test_cache_answers_repeated_requests_and_no_others(
    setup: Setup, alice: Browser
) -> None:
    token = token_of(alice)
    held = ("Cookie", f"theirs=cached; platform_token={token}")

    def is_answered_by_nginx() -> bool:
        before = len(setup.asked)
        assert named(seen(setup.asks(held)))["user"] == ["alice"]
        return len(setup.asked) == before

    setup.processes.program("proxy").wait_until(is_answered_by_nginx, within=30)
    before = len(setup.asked)
    theirs = ("Authorization", "Bearer theirs")
    assert setup.asks(("Cookie", "theirs=cached")).status == 302
    assert setup.asks(("Cookie", f"platform_token={token}x")).status == 302
    assert named(seen(setup.asks(held, theirs)))["user"] == ["alice"]
    assert len(setup.asked) == before + 3


@cached
def test_cache_of_two_cookies_lets_the_first_one_in_by_no_means(
    setup: Setup, alice: Browser
) -> None:
    """A sibling host may set a cookie for our people, and know it."""
    both = f"platform_token=planted; platform_token={token_of(alice)}"
    seen(setup.asks(("Cookie", both)))

    assert setup.asks(("Cookie", "platform_token=planted")).status == 302


@cached
def test_cache_keeps_no_token_in_its_files_and_no_renewal(
    setup: Setup, alice: Browser
) -> None:
    token = token_of(alice)
    held = ("Cookie", f"theirs=files; platform_token={token}")
    seen(setup.asks(held))
    kept = [
        path for path in (setup.wiring.folder / "cache").rglob("*") if path.is_file()
    ]

    assert kept
    assert not [path for path in kept if token.encode() in path.read_bytes()]

    setup.service.world.clock.advance(HALF_A_DAY)
    held = ("Cookie", f"theirs=renewed; platform_token={token}")
    assert renewed(setup.asks(held))
    assert renewed(setup.asks(held))


@cached
def test_cache_lets_an_ended_session_go(setup: Setup, alice: Browser) -> None:
    """nginx asks again by itself; how soon, its own clock decides."""
    held = ("Cookie", f"theirs=ended; platform_token={token_of(alice)}")
    seen(setup.asks(held))
    alice.signs_out()
    setup.service.world.clock.advance(5)

    proxy = setup.processes.program("proxy")

    proxy.wait_until(lambda: setup.asks(held).status == 302, within=30)


def test_nginx_takes_what_other_pages_print(tmp_path: Path) -> None:
    _require("nginx")
    upstream = shown("nginx", "docs/several-nodes.md")
    location = shown("nginx", "docs/deployment.md")
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{upstream}\n"
        f"server {{\nlisten unix:{tmp_path}/sock;\n{location}\n}}\n}}\n"
    )

    tried = subprocess.run(
        ["nginx", "-t", "-e", "stderr", "-c", configuration],
        env={"PATH": "/usr/sbin:/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert tried.returncode == 0, tried.stderr
