"""Latchkey in the process that measures, wired to the world outside on loopback."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from app.atproto.client import OAuthClient
from app.atproto.discovery.servers import ServerDiscovery
from app.atproto.http.client import SafeHTTP, _Adapter
from app.atproto.http.pool import Pools
from app.atproto.http.sockets import _connect
from app.atproto.http.types import Deadline
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.identity.dns import DnsTxtLookup
from app.atproto.identity.resolver import IdentityResolver
from app.atproto.oauth.dpop import DPoPSender
from app.atproto.oauth.issuer_verification import EvidenceCollector
from app.atproto.oauth.server import ServerAgent
from app.atproto.stores.memory import MemoryCache, MemorySessionStore, MemoryStateStore
from app.atproto.syntax.identifier import parse_identifier
from app.config import Settings
from app.factory.container import Outside
from app.factory.web import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    """What one step cost."""

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


@dataclass(slots=True)
class Recorder:
    """Stands before the network and notes every request."""

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
        self.settings = Settings(
            public_url=HOME,
            secret_key=bytes(32),
            database_url=f"sqlite:///{directory}/bench.db",
            rate_limit_login_per_address="100000/minute",
            rate_limit_login_per_host="100000/minute",
            log_level="error",
            trusted_proxies=1,
        )
        outside = None if opened is None else self._outside(opened)
        self.app = create_app(self.settings, outside=outside)
        result = self.app.test_cli_runner().invoke(args=["init"])
        if result.exit_code:
            raise RuntimeError(result.output)

    def _outside(self, opened: Opened) -> Outside:
        context = ssl.create_default_context(cafile=opened.bundle)
        pools = Pools(
            lambda _host, _port, timeout: _connect(
                "127.0.0.1", opened.tls_port, timeout
            ),
            context,
        )
        self.http = Recorder(
            SafeHTTP(
                policy=NetworkPolicy(), user_agent="bench", adapter=_Adapter(pools)
            )
        )
        self.txt = Recorder(DnsTxtLookup([("127.0.0.1", opened.dns_port)]))
        return Outside(http=self.http, txt=self.txt, clock=time.time)

    def metadata(self) -> dict[str, Any]:
        path = self.settings.client_metadata_path
        return self.app.test_client().get(path).get_json()

    def identity(self) -> dict[str, Any]:
        """Return who we are to authorization servers, private key included."""
        client = self.app.extensions["latchkey"].flows.start_login.client
        key = client._bindings._keys().primary()
        return {"metadata": self.metadata(), "key": key.private_jwk()}

    def forget_everything(self) -> None:
        """Empty the caches and close the connections, as after a quiet hour."""
        context = self.app.extensions["latchkey"]
        client = context.flows.start_login.client
        cache = client._agent._sender._cache
        cache._memory._entries.clear()
        with cache._database.write() as connection:
            connection.exec_driver_sql("DELETE FROM cache_entries")
        self.http.inner.close()

    def login(self, browser: Any, identifier: str) -> tuple[Cost, str]:
        """POST the form; return what it cost and where the browser is sent."""
        return self._measured(
            lambda: browser.post(
                "/auth/login",
                data={"identifier": identifier},
                headers={"Sec-Fetch-Site": "same-origin"},
                base_url=HOME,
            )
        )

    def callback(self, browser: Any, url: str) -> tuple[Cost, str]:
        """Follow the browser back."""
        return self._measured(lambda: browser.get(url))

    def _measured(self, act: Any) -> tuple[Cost, str]:
        for recorder in (self.http, self.txt):
            recorder.spans.clear()
        cpu, began = time.process_time(), time.monotonic()
        response = act()
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        if response.status_code != 303:
            raise RuntimeError(f"{response.status}: {response.get_data(as_text=True)}")
        spans = [*self.http.spans, *self.txt.spans]
        return Cost(seconds, cpu, spans), response.location


class Library:
    """The OAuth client without the service around it, as the peers are measured."""

    def __init__(self, latchkey: Latchkey) -> None:
        wired = latchkey.app.extensions["latchkey"].flows.start_login.client
        http, cache = latchkey.http.inner, MemoryCache(time.time)
        identities = IdentityResolver(
            http=http,
            txt=latchkey.txt.inner,
            plc_url="https://plc.directory",
            cache=cache,
            clock=time.time,
            policy=NetworkPolicy(),
        )
        servers = ServerDiscovery(
            http=http, cache=cache, clock=time.time, policy=NetworkPolicy()
        )
        self._client = OAuthClient(
            metadata=wired._metadata,
            keys=wired._bindings._keys,
            states=MemoryStateStore(time.time),
            sessions=MemorySessionStore(),
            evidence=EvidenceCollector(
                identities=identities, servers=servers, clock=time.time
            ),
            agent=ServerAgent(DPoPSender(http=http, cache=cache, clock=time.time)),
            clock=time.time,
        )

    def sign_in(self, handle: str, approve: Any) -> float:
        """Sign somebody in; return the CPU seconds of both halves."""
        there = time.process_time()
        begun = self._client.authorize(
            parse_identifier(handle),
            scope="atproto",
            redirect_uri=f"{HOME}/auth/callback",
            deadline=Deadline.after(9),
        )
        there = time.process_time() - there
        query = parse_qsl(urlsplit(approve(begun.url)).query)
        back = time.process_time()
        self._client.callback(query, bindings=None, deadline=Deadline.after(9))
        return there + time.process_time() - back


def identifiers(prefix: str) -> Iterator[str]:
    """Yield handles that nobody has used before."""
    count = 0
    while True:
        count += 1
        tag = base64.b32encode(f"{time.time_ns()}".encode()).decode().lower()[:8]
        yield f"{prefix}{count}{tag}.people.cafe"
