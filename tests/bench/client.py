"""Latchkey in the process that measures, wired to the world outside on loopback."""

from __future__ import annotations

import base64
import io
import json
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from app.atproto.client_metadata.builders import (
    Presentation,
    build_confidential_web_client,
)
from app.atproto.crypto.keys import ClientKeys, SigningKey
from app.atproto.http.client import SafeHTTP
from app.atproto.http.dialer import Dialer
from app.atproto.http.pool import Pools
from app.atproto.http.session import Adapter
from app.atproto.http.types import Deadline
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.identity.dns import DnsTxtLookup
from app.atproto.open_client import open_client
from app.atproto.stores.memory import MemorySessionStore, MemoryStateStore
from app.atproto.syntax.identifier import parse_identifier
from app.config import Settings
from app.factory.container import Outside
from app.factory.web import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from app.atproto.http.types import Response
    from tests.bench.hosts import Opened

HOME = "https://auth.platform.cafe"


@dataclass(slots=True)
class Span:
    """One request to the outside: when it began and when it was over."""

    began: float
    ended: float


@dataclass(slots=True)
class Cost:
    """What one step of a sign-in cost: seconds, CPU seconds, requests."""

    seconds: float
    cpu: float
    spans: list[Span]

    @property
    def requests(self) -> int:
        return len(self.spans)

    @property
    def hops(self) -> int:
        """The longest chain of requests in which each waited for the one before."""
        chain, free_at = 0, 0.0
        for span in sorted(self.spans, key=lambda span: span.ended):
            if span.began >= free_at:
                chain, free_at = chain + 1, span.ended
        return chain


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of the two halves of a sign-in."""

    login: float
    callback: float

    @property
    def both(self) -> float:
        return self.login + self.callback


class Browser:
    """What a WSGI server and a browser do for one person, outside the measured time.

    A test client would build requests, parse cookies and follow responses on our
    account: 8 % of a sign-in.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._cookies: dict[str, str] = {}

    def request(self, method: str, url: str, form: dict[str, str] | None = None) -> Any:
        """Return a request that is ready to be sent: a call sends it."""
        parts, body = urlsplit(url), urlencode(form or {}).encode()
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": parts.hostname,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": parts.netloc,
            "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
            "HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8",
            "HTTP_COOKIE": "; ".join(f"{n}={v}" for n, v in self._cookies.items()),
            "HTTP_SEC_FETCH_SITE": "same-origin" if form else "cross-site",
            "HTTP_SEC_FETCH_MODE": "navigate",
            "HTTP_SEC_FETCH_DEST": "document",
            "HTTP_X_FORWARDED_FOR": "203.0.113.7",
            "HTTP_X_FORWARDED_PROTO": "https",
            "HTTP_X_FORWARDED_HOST": parts.netloc,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/x-www-form-urlencoded" if form else "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        return partial(self._send, environ)

    def _send(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
        started: list[Any] = []
        chunks = self._app(environ, lambda *head: started.extend(head))
        for _ in chunks:
            pass
        chunks.close()
        return started[0], started[1]

    def receive(self, headers: list[tuple[str, str]]) -> str:
        """Keep the cookies of a response; return where it leads."""
        for name, value in headers:
            if name == "Set-Cookie":
                pair, _, _ = value.partition(";")
                cookie, _, content = pair.partition("=")
                self._cookies[cookie] = content
        return urljoin(HOME, dict(headers)["Location"])


@dataclass(slots=True)
class Recorder:
    """Forwards requests to the network and notes when each began and ended."""

    inner: Any
    spans: list[Span] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, method: str, url: str, **options: Any) -> Response:
        began = time.monotonic()
        try:
            return self.inner.request(method, url, **options)
        finally:
            with self.lock:
                self.spans.append(Span(began, time.monotonic()))

    def __call__(self, name: str, *, timeout: float) -> list[str]:
        began = time.monotonic()
        try:
            return self.inner(name, timeout=timeout)
        finally:
            with self.lock:
                self.spans.append(Span(began, time.monotonic()))


class Latchkey:
    """The application, its browser and a stopwatch."""

    def __init__(self, directory: Path, opened: Opened | None = None) -> None:
        self.key = _client_key(directory / "client.jwk")
        self.settings = Settings(
            public_url=HOME,
            secret_key=bytes(32),
            database_url=f"sqlite:///{directory}/bench.db",
            rate_limit_login_per_address="100000/minute",
            rate_limit_login_per_host="100000/minute",
            log_level="error",
            trusted_proxies=1,
            client_jwk_path=directory / "client.jwk",
        )
        outside = None if opened is None else self._outside(opened)
        self.app = create_app(self.settings, outside=outside)
        result = self.app.test_cli_runner().invoke(args=["init"])
        if result.exit_code:
            raise RuntimeError(result.output)

    def close(self) -> None:
        """Close the connections to hosts."""
        self.http.inner.close()

    def _outside(self, opened: Opened) -> Outside:
        context = ssl.create_default_context(cafile=opened.bundle)
        dial = Dialer(lambda _host, _port: ["127.0.0.1"], lambda _address, _host: None)
        pools = Pools(
            lambda host, _port, timeout: dial(host, opened.tls_port, timeout), context
        )
        self.http = Recorder(
            SafeHTTP(policy=NetworkPolicy(), user_agent="bench", adapter=Adapter(pools))
        )
        self.txt = Recorder(DnsTxtLookup([("127.0.0.1", opened.dns_port)]))
        return Outside(http=self.http, txt=self.txt, clock=time.time)

    def metadata(self) -> dict[str, Any]:
        path = self.settings.client_metadata_path
        return self.app.test_client().get(path).get_json()

    def identity(self) -> dict[str, Any]:
        """Return who we are to authorization servers, private key included."""
        return {"metadata": self.metadata(), "key": self.key.private_jwk()}

    def forget_everything(self) -> None:
        """Empty the caches and close the connections, as after a quiet hour."""
        context = self.app.extensions["latchkey"]
        client = context.flows.start_login.client
        cache = client._agent._sender._cache
        cache._memory._entries.clear()
        with cache._database.write() as connection:
            connection.exec_driver_sql("DELETE FROM cache_entries")
        self.close()

    def login(self, browser: Browser, identifier: str) -> tuple[Cost, str]:
        """POST the form; return what it cost and where the browser is sent."""
        form = {"identifier": identifier}
        send = browser.request("POST", f"{HOME}/auth/login", form)
        return self._measured(browser, send)

    def sign_in(self, handle: str, approve: Callable[[str], str]) -> Spent:
        """Sign a person in; return what both halves cost."""
        browser = self.browser()
        login, location = self.login(browser, handle)
        callback, _ = self.callback(browser, approve(location))
        return Spent(login.cpu, callback.cpu)

    def browser(self) -> Browser:
        """Return the browser of a new person."""
        return Browser(self.app)

    def callback(self, browser: Browser, url: str) -> tuple[Cost, str]:
        """Follow the browser back."""
        return self._measured(browser, browser.request("GET", url))

    def _measured(self, browser: Browser, send: Any) -> tuple[Cost, str]:
        for recorder in (self.http, self.txt):
            recorder.spans.clear()
        cpu, began = time.process_time(), time.monotonic()
        status, headers = send()
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        if not status.startswith("303"):
            raise RuntimeError(status)
        spans = [*self.http.spans, *self.txt.spans]
        return Cost(seconds, cpu, spans), browser.receive(headers)


class Library:
    """The OAuth client without the service around it, as the peers are measured."""

    def __init__(self, latchkey: Latchkey) -> None:
        settings, keys = latchkey.settings, ClientKeys([latchkey.key])
        self.client = open_client(
            metadata=build_confidential_web_client(
                client_id=settings.public_url + settings.client_metadata_path,
                redirect_uris=(settings.redirect_uri,),
                scope=settings.declared_scope,
                jwks=keys.public_jwks(),
                presentation=Presentation(client_name=settings.platform_name),
            ),
            keys=keys,
            states=MemoryStateStore(time.time),
            sessions=MemorySessionStore(),
            http=latchkey.http.inner,
            txt=latchkey.txt.inner,
            clock=time.time,
        )

    def sign_in(self, handle: str, approve: Callable[[str], str]) -> Spent:
        """Sign a person in; return what both halves cost."""
        began = time.process_time()
        begun = self.client.authorize(
            parse_identifier(handle),
            scope="atproto",
            redirect_uri=f"{HOME}/auth/callback",
            deadline=Deadline.after(9),
        )
        login = time.process_time() - began
        query = parse_qsl(urlsplit(approve(begun.url)).query)
        began = time.process_time()
        self.client.callback(query, browser_secrets=None, deadline=Deadline.after(9))
        return Spent(login, time.process_time() - began)


def _client_key(path: Path) -> SigningKey:
    """Return the key that we are known by, made at the first call."""
    if not path.exists():
        made = SigningKey.generate("ES256", kid="bench")
        path.write_text(json.dumps(made.private_jwk()))
        path.chmod(0o600)
    return SigningKey.from_jwk(json.loads(path.read_text()))


def identifiers(prefix: str) -> Iterator[str]:
    """Yield handles that are unused."""
    count = 0
    while True:
        count += 1
        tag = base64.b32encode(f"{time.time_ns()}".encode()).decode().lower()[:8]
        yield f"{prefix}{count}{tag}.people.cafe"
