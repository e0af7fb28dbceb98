"""What goes wrong on the way: one small class for each kind of trouble.

`network.lay(url, DropsAnswer(), times=1)` reads as what happens to that URL. Waiting is
done on the fake clock, so that ten slow seconds cost no time.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests
from werkzeug.datastructures import Headers

from app.atproto.errors import HostUnreachable

from .network import Answer, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .clock import FakeClock
    from .network import Sent


class Removed:
    """The type of `REMOVED`; its repr is the same in every process (pytest-xdist)."""

    def __repr__(self) -> str:
        return "REMOVED"


REMOVED = Removed()
"""A field that is not there at all."""

HTML = "text/html; charset=utf-8"


@dataclass
class Says(Fault):
    """Something stands in front of the host and answers in its place."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def before(self, sent: Sent, timeout: float) -> Answer:
        return Answer(self.status, Headers(self.headers), self.body)


def bad_gateway() -> Says:
    """A proxy's HTML page with the status 502."""
    page = b"<html><h1>502 Bad Gateway</h1><script>alert(1)</script></html>"
    return Says(502, page, {"Content-Type": HTML})


def too_many(retry_after: int = 30) -> Says:
    """The host asks us to slow down."""
    return Says(429, b"{}", {"Retry-After": str(retry_after)})


def redirect(target: str, status: int = 302) -> Says:
    """An answer that sends us elsewhere."""
    return Says(status, b"", {"Location": target})


def a_page(status: int = 200) -> Says:
    """An HTML page where a document should be."""
    return Says(status, b"<!doctype html><p>Welcome</p>", {"Content-Type": HTML})


def missing() -> Says:
    """Nothing is there."""
    return Says(404, b'{"error":"NotFound"}', {"Content-Type": "application/json"})


@dataclass
class Refuses(Fault):
    """The connection is refused; no byte of the request has left."""

    def before(self, sent: Sent, timeout: float) -> None:
        raise HostUnreachable(sent.host, "connection refused")


@dataclass
class DropsAnswer(Fault):
    """The host does what was asked, and its answer is lost on the way back."""

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        raise requests.ConnectionError("Connection reset by peer")


@dataclass
class Waits(Fault):
    """The host takes its time; with less patience than that, the read times out."""

    clock: FakeClock
    seconds: float

    def before(self, sent: Sent, timeout: float) -> None:
        self.clock.advance(min(self.seconds, timeout))
        if self.seconds >= timeout:
            raise requests.ReadTimeout(f"{sent.host} took {self.seconds} s")


@dataclass
class Swells(Fault):
    """The same JSON, padded to a given size."""

    size: int

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        return answer.with_json({**answer.json(), "padding": "x" * self.size})


@dataclass
class ChangesJSON(Fault):
    """Some fields of the answer are others than the host wrote, or `REMOVED`."""

    fields: Mapping[str, object]

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        document = {**answer.json(), **self.fields}
        return answer.with_json(
            {name: value for name, value in document.items() if value is not REMOVED}
        )


@dataclass
class ChangesStatus(Fault):
    """The right answer under another status."""

    status: int

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        return Answer(self.status, answer.headers, answer.body)


@dataclass
class ChangesHeader(Fault):
    """A header of the answer is another, or gone (None)."""

    name: str
    value: str | None = None

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        headers = Headers(answer.headers)
        headers.remove(self.name)
        if self.value is not None:
            headers[self.name] = self.value
        return Answer(answer.status, headers, answer.body)


@dataclass
class Fills(Fault):
    """The answer is padded until its body and its head have these many bytes."""

    body: int
    head: int
    lines: int

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        document = {**answer.json(), "padding": ""}
        document["padding"] = "x" * (self.body - len(json.dumps(document)))
        filled = answer.with_json(document)
        names = [f"X-Padding-{number}" for number in range(self.lines)]
        spent = sum(len(f"{name}: {value}\r\n") for name, value in filled.headers)
        each = (self.head - spent) // self.lines
        for name in names:
            filled.headers[name] = "x" * (each - len(f"{name}: \r\n"))
        return filled


@dataclass
class Holds(Fault):
    """The answer waits until the test lets it go."""

    asked: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def before(self, sent: Sent, timeout: float) -> None:
        self.asked.set()
        if not self.released.wait(30):
            raise requests.ReadTimeout("the test did not release the answer")
