"""A native app: it knows the service's URL, shows a code, and awaits its token.

Speaks as HTTP clients of programming languages do: no cookies, no browser's headers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from requests.structures import CaseInsensitiveDict
from werkzeug.test import EnvironBuilder, run_wsgi_app

from .browser import AtHost
from .network import Sent
from .page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service import Service

    from .browser import Browser
    from .network import Answer

APP = "an app"
LOGIN = "/auth/native/login"
MOST_COMMENTS = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    id: str
    body: dict[str, Any]


@dataclass
class App:
    """One app on a person's computer."""

    service: Service
    address: str = "203.0.113.9"
    verifier: str | None = None
    """What it proves when it awaits; its challenge has to be sent by the test."""
    link: str = field(default="", init=False)
    code: str = field(default="", init=False)
    secret: str = field(default="", init=False)

    def starts(self, identifier: str, **body: Any) -> App:
        """Begin a login, and keep what came back."""
        answer = self.initiates({"identifier": identifier, **body})
        assert answer.status == 201, answer.body
        begun = answer.json()
        self.link, self.code = begun["oauth_url"], begun["user_code"]
        self.secret = begun["session_id"]
        return self

    def initiates(self, body: Any, **headers: str) -> Answer:
        """Send anything at all to where logins begin."""
        given = {"Content-Type": "application/json", **headers}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.requests("POST", LOGIN, given, raw)

    def asks(self, *, method: str = "GET", **headers: str) -> Answer:
        """Ask how the login stands, without a stream."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.requests(method, self.await_path, named)

    def status(self) -> str:
        """Return how the login stands, in a word."""
        word: str = self.asks().json()["status"]
        return word

    def token(self) -> str:
        """Collect the token."""
        completed = self.asks().json()
        assert completed["status"] == "completed", completed
        token: str = completed["token"]
        return token

    def acknowledges(self) -> Answer:
        """Say that the token is kept."""
        return self.asks(Last_Event_ID="completed")

    def uses(self, token: str, path: str = "/auth/session") -> Answer:
        """Call a service with the token."""
        return self.requests("GET", path, {"Authorization": f"Bearer {token}"})

    def streams(self, **headers: str) -> Stream:
        """Open the stream of Server-Sent Events."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = urlsplit(self.service.home + self.await_path)
        builder = EnvironBuilder(
            base_url=f"{url.scheme}://{url.netloc}/",
            path=url.path,
            query_string=url.query,
            headers={"Accept": "text/event-stream", **named},
        )
        environ = {**builder.get_environ(), "REMOTE_ADDR": self.address}
        return Stream(*run_wsgi_app(self.service.app, environ, False))

    @property
    def await_path(self) -> str:
        query = f"?code_verifier={quote(self.verifier)}" if self.verifier else ""
        return f"{LOGIN}/{self.secret}/await{query}"

    def requests(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> Answer:
        """Make one request, and follow nothing."""
        url = self.service.home + path
        given = CaseInsensitiveDict({"Accept": "application/json", **headers})
        sent = Sent(method, url, given, body, APP, self.address)
        return self.service.world.network.deliver(sent, timeout=60.0)


class Stream:
    """A stream that is being read; `breaks` is what a lost connection does."""

    def __init__(self, chunks: Any, status: str, headers: Any) -> None:
        self.chunks = chunks
        self.status = int(status.split(maxsplit=1)[0])
        self.headers = headers

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.breaks()

    def next(self) -> bytes:
        """Return what comes next, as it comes; b"" at the end."""
        return next(self.chunks, b"")

    def event(self) -> Event | None:
        """Return the next event, past comments; None at the end of the stream."""
        for number, chunk in enumerate(self.chunks):
            if (event := _parse(chunk)) is not None:
                return event
            assert number < MOST_COMMENTS, "nothing but comments"
        return None

    def events(self) -> Iterator[Event]:
        """Yield the events until the stream ends."""
        while (event := self.event()) is not None:
            yield event

    def breaks(self) -> None:
        """Close the connection, as the server learns of it."""
        if hasattr(self.chunks, "close"):
            self.chunks.close()


def follows(browser: Browser, app: App) -> AtHost:
    """Open the app's link, and arrive at one's own host."""
    arrived = browser.navigates("GET", app.link, site="none")
    assert isinstance(arrived, AtHost), arrived.text
    return arrived


def let_in(service: Service, handle: str) -> App:
    """Return an app that this person has let in, once for each set of settings."""

    def play() -> App:
        app = App(service).starts(handle, app_name="Sketch")
        confirms(service.browser(), app)
        return app

    return service.steps.take(f"let in: {handle}", play)


def confirms(browser: Browser, app: App, decision: str = "allow") -> Page:
    """Go all the way from the link to the last page."""
    page = follows(browser, app).approves().presses(decision=decision)
    assert isinstance(page, Page)
    return page


def _parse(chunk: bytes) -> Event | None:
    """Read one event (HTML §9.2.6); each arrives in one piece."""
    fields: dict[str, str] = {}
    for line in chunk.decode().splitlines():
        name, colon, value = line.partition(":")
        if colon and name:
            fields[name] = value.removeprefix(" ")
    if "data" not in fields:
        return None
    return Event(fields["event"], fields["id"], json.loads(fields["data"]))
