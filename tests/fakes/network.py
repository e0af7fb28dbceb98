"""The fake network: hosts by name, each a small WSGI app, and a log of every request.

It is an adapter for `requests`, mounted where the real one would open connections, so
that everything above it (URL policy, size caps, deadlines, redirects) is the product's
own. Faults of the wire are laid over the honest answers, see `faults.py`.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.client import responses as reasons
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.atproto.errors import HostUnknown, HostUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .clock import FakeClock

    WSGIApp = Callable[..., Iterable[bytes]]

CLIENT = "the client"


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it left; `sender` tells ours from those the hosts make."""

    method: str
    url: str
    headers: CaseInsensitiveDict[str]
    body: bytes
    sender: str = CLIENT
    address: str = "198.51.100.7"

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def form(self) -> dict[str, str]:
        """The body as a form; a repeated field is a mistake of the sender."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True)
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise AssertionError(f"a field is repeated: {[name for name, _ in pairs]}")
        return fields

    @property
    def proof(self) -> dict[str, Any]:
        """The DPoP proof's claims, as sent (verifying them is the hosts' work)."""
        return jwt.decode(self.headers["DPoP"], options={"verify_signature": False})

    @property
    def proof_header(self) -> dict[str, Any]:
        return jwt.get_unverified_header(self.headers["DPoP"])

    @property
    def assertion(self) -> dict[str, Any]:
        token = self.form["client_assertion"]
        return jwt.decode(token, options={"verify_signature": False})


@dataclass(slots=True)
class Answer:
    """What a host says, before the wire has had its way with it."""

    status: int = 200
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    def with_json(self, document: object) -> Answer:
        headers = Headers(self.headers)
        headers.remove("Content-Length")
        return Answer(self.status, headers, json.dumps(document).encode())


class Fault:
    """Something wrong with the wire, or with a host, at one place."""

    def before(self, sent: Sent, timeout: float) -> Answer | None:
        """Act before the host hears of the request; an answer stands in for its."""

    def after(self, answer: Answer, sent: Sent, timeout: float) -> Answer:
        """Act on the answer that the host has given."""
        return answer


@dataclass(slots=True)
class _Laid:
    fault: Fault
    times: int | None


class FakeNetwork(BaseAdapter):
    """Dispatch by host name; a name that is not here has no address.

    What goes wrong before a byte is sent is raised as the door's own connections
    raise it, which `requests` lets through.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.log: list[Sent] = []
        self._hosts: dict[str, WSGIApp | None] = {}
        self._faults: dict[str, list[_Laid]] = {}
        self._lock = threading.RLock()

    # --- setting the scene --------------------------------------------------------

    def serve(self, host: str, app: WSGIApp) -> None:
        """Put a host on the network."""
        self._hosts[host] = app

    def unplug(self, host: str) -> None:
        """Pull a host's plug: connections are refused from now on."""
        self._hosts[host] = None

    def lay(self, url: str, fault: Fault, *, times: int | None = None) -> None:
        """Lay a fault over a URL (without query), for the next `times` requests."""
        self._faults.setdefault(url, []).append(_Laid(fault, times))

    def mend(self, url: str = "") -> None:
        """Take every fault off a URL, or off all of them."""
        for each in [url] if url else list(self._faults):
            self._faults.pop(each, None)

    # --- what was asked -----------------------------------------------------------

    def sent(
        self, *, host: str = "", path: str = "", method: str = "", sender: str = CLIENT
    ) -> list[Sent]:
        """Return the requests that match, in order."""
        with self._lock:
            return [
                one
                for one in self.log
                if one.sender == sender
                and one.host == (host or one.host)
                and one.path == (path or one.path)
                and one.method == (method or one.method)
            ]

    def forget(self) -> None:
        """Empty the log, to count only what comes next."""
        with self._lock:
            self.log.clear()

    # --- the wire -----------------------------------------------------------------

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Answer a request of the client (the `requests` side of the adapter)."""
        if verify is False or timeout is None or not stream or proxies:
            raise AssertionError("a request without TLS checks, time limit or cap")
        body: Any = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        sent = Sent(
            method=request.method or "",
            url=request.url or "",
            headers=CaseInsensitiveDict(request.headers),
            body=body.encode() if isinstance(body, str) else bytes(body),
        )
        seconds = timeout[1] if isinstance(timeout, tuple) else timeout
        answer = self.deliver(sent, timeout=float(seconds))
        return HTTPAdapter().build_response(request, _raw(answer))

    def close(self) -> None:
        """Nothing to close: there are no connections."""

    def fetch(self, url: str, *, sender: str) -> Answer:
        """Ask as a host would: an authorization server fetching our metadata."""
        headers = CaseInsensitiveDict({"Accept": "application/json"})
        return self.deliver(Sent("GET", url, headers, b"", sender), timeout=10.0)

    def deliver(self, sent: Sent, *, timeout: float) -> Answer:
        """Carry one request to its host and the answer back."""
        if sent.host not in self._hosts:
            raise HostUnknown(sent.host)
        with self._lock:
            self.log.append(sent)
            faults = self._take_faults(sent.url.split("?")[0].split("#")[0])
        for fault in faults:
            if (answer := fault.before(sent, timeout)) is not None:
                break
        else:
            answer = self._ask(sent)
        for fault in faults:
            answer = fault.after(answer, sent, timeout)
        return answer

    def _take_faults(self, url: str) -> list[Fault]:
        laid = self._faults.get(url, [])
        faults = [one.fault for one in laid]
        for one in laid:
            one.times = None if one.times is None else one.times - 1
        self._faults[url] = [one for one in laid if one.times != 0]
        return faults

    def _ask(self, sent: Sent) -> Answer:
        app = self._hosts[sent.host]
        if app is None:
            raise HostUnreachable(sent.host, "connection refused")
        parts = urlsplit(sent.url)
        builder = EnvironBuilder(
            method=sent.method,
            base_url=f"{parts.scheme}://{parts.netloc}/",
            path=parts.path or "/",
            query_string=parts.query,
            headers=list(sent.headers.items()),
            data=sent.body or None,
        )
        environ = {**builder.get_environ(), "REMOTE_ADDR": sent.address}
        chunks, status, headers = run_wsgi_app(app, environ, True)
        return Answer(int(status.split()[0]), headers, b"".join(chunks))


def _raw(answer: Answer) -> HTTPResponse:
    return HTTPResponse(
        body=BytesIO(answer.body),
        headers=HTTPHeaderDict(list(answer.headers)),
        status=answer.status,
        reason=reasons.get(answer.status, "Unknown"),
        preload_content=False,
        decode_content=False,
        request_method="GET",
    )
