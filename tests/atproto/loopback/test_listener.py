"""The redirect listener: one answer, and everything else that may knock."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest

from app.atproto import (
    AccessDenied,
    AnswerTimeout,
    CallbackMalformed,
    CodeRejected,
    Deadline,
    LoopbackListener,
    StateUnknown,
    read_pasted,
)
from app.atproto.loopback.server import MOST_VISITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STATE = "the state of this login"
ANSWER = {"state": STATE, "iss": "https://as.skyhost.social", "code": "a secret code"}
SOON = 20.0


class Program:
    """A program that waits for its answer in a thread of its own."""

    def __init__(self, listener: LoopbackListener, judge: Callable[..., Any]) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._outcome = self._thread.submit(
            listener.receive, STATE, judge, deadline=Deadline.after(SOON)
        )
        self._thread.shutdown(wait=False)

    def ends(self) -> Any:
        """Wait for the end, and return how it was."""
        return self._outcome.exception(SOON) or self._outcome.result()

    def is_waiting(self) -> bool:
        return not self._outcome.done()


@pytest.fixture
def listener() -> Iterator[LoopbackListener]:
    with LoopbackListener(program="relay <3") as listener:
        yield listener


def eventually(is_so: Callable[[], bool]) -> None:
    """Return as soon as something is so; it has to be, within seconds."""
    ends = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.002)


@contextmanager
def waiting(
    listener: LoopbackListener, judge: Callable[..., Any] = dict
) -> Iterator[Program]:
    program = Program(listener, judge)
    eventually(lambda: listener._desk._state is not None)
    try:
        yield program
    finally:
        listener.close()


def knocks(
    listener: LoopbackListener,
    target: str | None = None,
    *,
    method: str = "GET",
    host: str | None = None,
    headers: dict[str, str] | None = None,
    **changes: str,
) -> tuple[int, http.client.HTTPMessage, str]:
    """Make one request; with the right answer, unless something else is said."""
    url = urlsplit(listener.redirect_uri)
    assert url.hostname is not None
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=SOON)
    target = target or f"{url.path}?{urlencode({**ANSWER, **changes})}"
    try:
        connection.putrequest(method, target, skip_host=True)
        connection.putheader("Host", host or url.netloc)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def dial(listener: LoopbackListener) -> socket.socket:
    url = urlsplit(listener.redirect_uri)
    return socket.create_connection((url.hostname, url.port), timeout=SOON)


# --- the answer ---------------------------------------------------------------------


def test_the_answer_with_our_state_is_received(listener: LoopbackListener) -> None:
    with waiting(listener) as program:
        status, _, page = knocks(listener)

        assert program.ends() == ANSWER
    assert status == 200
    assert "<h1>You are signed in</h1>" in page
    assert "Go back to relay &lt;3." in page


def test_browser_gets_its_page_after_the_check(
    listener: LoopbackListener,
) -> None:
    def refuses(_answer: object) -> None:
        raise CodeRejected("too old")

    with waiting(listener, refuses) as program:
        status, _, page = knocks(listener)

        assert isinstance(program.ends(), CodeRejected)
    assert status == 400
    assert "<h1>You are not signed in</h1>" in page


def test_browser_after_a_denial_sees_the_declined_page(
    listener: LoopbackListener,
) -> None:
    def denies(_answer: object) -> None:
        raise AccessDenied("the request was declined")

    with waiting(listener, denies) as program:
        _, _, page = knocks(listener)

        assert isinstance(program.ends(), AccessDenied)
    assert "<h1>You did not sign in</h1>" in page


def test_failing_check_still_answers_the_browser(
    listener: LoopbackListener,
) -> None:
    def breaks(_answer: object) -> None:
        raise RuntimeError("a bug")

    with waiting(listener, breaks) as program:
        status, _, _ = knocks(listener)

        assert isinstance(program.ends(), RuntimeError)
    assert status == 400


def test_nothing_of_the_answer_is_on_the_page(listener: LoopbackListener) -> None:
    with waiting(listener):
        _, headers, page = knocks(listener)

    sent = page + str(headers)
    assert not [value for value in ANSWER.values() if value in sent]


def test_the_page_is_kept_nowhere_and_loads_nothing(
    listener: LoopbackListener,
) -> None:
    with waiting(listener):
        _, headers, page = knocks(listener)

    [style] = re.findall("<style>(.*)</style>", page)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert f"style-src 'sha256-{digest}'" in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] is None
    assert not re.search("<(script|img|link|a|form)|src=|href=", page)


def test_the_page_can_be_read_aloud(listener: LoopbackListener) -> None:
    with waiting(listener):
        _, _, page = knocks(listener)

    assert '<html lang="en">' in page
    assert "<title>You are signed in</title>" in page
    assert page.count("<main>") == page.count("<h1>") == 1
    assert 'name="viewport"' in page


def test_listener_after_the_answer_is_closed(listener: LoopbackListener) -> None:
    with waiting(listener) as program:
        knocks(listener)
        program.ends()

        with pytest.raises(ConnectionRefusedError):
            knocks(listener)


def test_listener_refuses_visits_while_the_answer_is_checked(
    listener: LoopbackListener,
) -> None:
    refused: list[type[Exception]] = []

    def judges(answer: object) -> object:
        with dial(listener) as connection:
            connection.settimeout(0.2)
            connection.sendall(b"GET /callback HTTP/1.1\r\n\r\n")
            try:
                connection.recv(1)
            except TimeoutError as silence:
                refused.append(type(silence))
        return answer

    with waiting(listener, judges) as program:
        knocks(listener)

        assert isinstance(program.ends(), list)
    assert refused == [TimeoutError]


def test_of_many_answers_at_once_one_is_taken(listener: LoopbackListener) -> None:
    judged: list[object] = []
    pages: SimpleQueue[int] = SimpleQueue()
    together = threading.Barrier(8)

    def visits() -> None:
        connection = http.client.HTTPConnection(*address, timeout=SOON)
        connection.connect()
        together.wait(SOON)
        try:
            connection.request("GET", f"/callback?{urlencode(ANSWER)}")
            pages.put(connection.getresponse().status)
        except OSError:
            pages.put(0)  # it came after the listener had closed
        finally:
            connection.close()

    url = urlsplit(listener.redirect_uri)
    address = (str(url.hostname), url.port)
    with waiting(listener, judged.append) as program:
        visitors = [threading.Thread(target=visits) for _ in range(8)]
        for visitor in visitors:
            visitor.start()
        program.ends()
        for visitor in visitors:
            visitor.join(SOON)

    assert len(judged) == 1
    assert [pages.get_nowait() for _ in visitors].count(200) == 1


def test_receive_without_answer_raises_answer_timeout(
    listener: LoopbackListener,
) -> None:
    with pytest.raises(AnswerTimeout):
        listener.receive(STATE, dict, deadline=Deadline.after(0.05))

    with pytest.raises(ConnectionRefusedError):
        knocks(listener)


# --- other requests ------------------------------------------------------------------

STRAYS = {
    "another path": ({"target": f"/?{urlencode(ANSWER)}"}, 404),
    "a path below": ({"target": f"/callback/?{urlencode(ANSWER)}"}, 404),
    "an escaped path": ({"target": f"/%63allback?{urlencode(ANSWER)}"}, 404),
    "the browser's icon": ({"target": "/favicon.ico"}, 404),
    "a proxy's request": (
        {"target": f"http://127.0.0.1/callback?{urlencode(ANSWER)}"},
        404,
    ),
    "no query": ({"target": "/callback"}, 400),
    "no state": ({"target": "/callback?code=a"}, 400),
    "an empty state": ({"state": ""}, 400),
    "another state": ({"state": "the state of yesterday's login"}, 400),
    "a state beyond ASCII": ({"state": "zuf\u00e4llig"}, 400),
    "two states": ({"target": f"/callback?{urlencode(ANSWER)}&state=x"}, 400),
    "our state twice": (
        {"target": f"/callback?{urlencode(ANSWER)}&{urlencode({'state': STATE})}"},
        400,
    ),
    "a flood of parameters": (
        {"target": f"/callback?{urlencode(ANSWER)}" + "&a=b" * 60},
        400,
    ),
    "an endless address": ({"target": "/callback?" + "a" * 70_000}, 414),
    "endless headers": ({"headers": {f"X-{n}": "a" for n in range(120)}}, 431),
    "a foreign name": ({"host": "attacker.example"}, 400),
    "a name of this machine": ({"host": "localhost"}, 400),
    "another port": ({"host": "127.0.0.1:1"}, 400),
    "no port": ({"host": "127.0.0.1"}, 400),
    **{
        f"a {method}": ({"method": method}, 405)
        for method in ("POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
    },
    "an unknown method": ({"method": "PROPFIND"}, 501),
}


@pytest.mark.parametrize("stray", STRAYS)
def test_other_request_is_refused_and_the_listener_continues(
    listener: LoopbackListener, stray: str
) -> None:
    request, refusal = STRAYS[stray]
    with waiting(listener) as program:
        status, headers, page = knocks(listener, **request)

        assert status == refusal
        assert "signed in</h1>" not in page
        assert headers["Access-Control-Allow-Origin"] is None
        assert program.is_waiting()
        knocks(listener)
        assert program.ends() == ANSWER


def test_two_host_names_are_refused(listener: LoopbackListener) -> None:
    with waiting(listener) as program:
        status, _, _ = knocks(listener, headers={"Host": "attacker.example"})

        assert status == 400
        assert program.is_waiting()


def test_a_browser_that_is_back_early_is_kept(listener: LoopbackListener) -> None:
    with ThreadPoolExecutor(1) as browser:
        early = browser.submit(knocks, listener)
        eventually(lambda: bool(listener._server._visits))

        answer = listener.receive(STATE, dict, deadline=Deadline.after(SOON))

        assert answer == ANSWER
        assert early.result(SOON)[0] == 200


def test_unexpected_answer_is_refused(
    listener: LoopbackListener,
) -> None:
    with ThreadPoolExecutor(1) as browser:
        early = browser.submit(knocks, listener)
        eventually(lambda: bool(listener._server._visits))
        listener.close()

        # Closed before the request was read, or answered: no answer is cut short.
        error = early.exception(SOON)
        assert isinstance(error, OSError) or early.result()[0] == 400


@pytest.mark.parametrize(
    "noise", [b"", b"GET /callb", b"\x16\x03\x01\x02\x00\x01", b"\r\n\r\n", b"\0" * 99]
)
def test_silent_visitors_delay_no_other_visit(
    listener: LoopbackListener, noise: bytes
) -> None:
    with waiting(listener) as program:
        idle = [dial(listener) for _ in range(3)]
        for connection in idle:
            connection.sendall(noise)

        knocks(listener)
        assert program.ends() == ANSWER
        for connection in idle:
            connection.close()


def test_connections_over_the_limit_are_closed(
    listener: LoopbackListener,
) -> None:
    with waiting(listener) as program:
        with ExitStack() as crowd:
            for _ in range(MOST_VISITS):
                crowd.enter_context(dial(listener))
            with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
                knocks(listener)

        def is_let_in() -> bool:
            try:
                return knocks(listener)[0] == 200
            except (http.client.RemoteDisconnected, ConnectionError):
                return False

        eventually(is_let_in)
        assert program.ends() == ANSWER


def test_nothing_of_a_request_is_logged(
    listener: LoopbackListener,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    with waiting(listener) as program:
        knocks(listener, "/nowhere?code=another+secret")
        knocks(listener)
        program.ends()

    assert "secret" not in caplog.text + "".join(capfd.readouterr())


# --- where it listens ---------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_listens_on_one_loopback_address(host: Any) -> None:
    try:
        listener = LoopbackListener(host=host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with listener, waiting(listener) as program:
        bound = listener._server.socket.getsockname()
        knocks(listener)

        assert program.ends() == ANSWER
    assert bound[0] == host
    assert listener.redirect_uri == (
        f"http://{f'[{host}]' if ':' in host else host}:{bound[1]}/callback"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost", "192.0.2.1"])  # noqa: S104
def test_listener_is_not_reachable_at_other_addresses(host: Any) -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        LoopbackListener(host=host)


def test_two_listeners_have_two_ports(listener: LoopbackListener) -> None:
    with LoopbackListener() as other:
        assert other.redirect_uri != listener.redirect_uri


def test_a_declared_port_and_path_are_kept(listener: LoopbackListener) -> None:
    port = urlsplit(listener.redirect_uri).port
    assert port is not None
    listener.close()

    with LoopbackListener(port=port, path="/signed-in") as other:
        assert other.redirect_uri == f"http://127.0.0.1:{port}/signed-in"


def test_a_port_that_is_taken_is_not_shared(listener: LoopbackListener) -> None:
    port = urlsplit(listener.redirect_uri).port
    assert port is not None

    with pytest.raises(OSError, match="in use"):
        LoopbackListener(port=port)


def test_close_may_be_called_twice(listener: LoopbackListener) -> None:
    listener.close()
    listener.close()


# --- an answer that is pasted -------------------------------------------------------

REDIRECT = "http://127.0.0.1:50123/callback"


def test_a_pasted_address_has_the_answer() -> None:
    url = f"  {REDIRECT}?{urlencode(ANSWER)}#somewhere\n"

    assert dict(read_pasted(url, redirect_uri=REDIRECT, state=STATE)) == ANSWER


@pytest.mark.parametrize(
    "address",
    ["", "a secret code", f"http://127.0.0.1:50123/?{urlencode(ANSWER)}", "https://x/"],
)
def test_pasted_address_other_than_the_redirect_uri_is_refused(address: str) -> None:
    with pytest.raises(CallbackMalformed):
        read_pasted(address, redirect_uri=REDIRECT, state=STATE)


@pytest.mark.parametrize("query", ["", "code=a", "state=another&code=a"])
def test_pasted_address_with_another_state_is_refused(query: str) -> None:
    with pytest.raises(StateUnknown):
        read_pasted(f"{REDIRECT}?{query}", redirect_uri=REDIRECT, state=STATE)
