"""A sign-in service on a socket of this machine: it checks what apps send, and fails.

What it does by itself is the contract of the native login: PKCE, the three ways to
await, tokens until they are acknowledged. `faults` are taken first, one for each await,
and may do to the connection what networks do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

DID = "did:plc:alice"
LONGEST = 60.0
"""Seconds for which an answer waits, in a test that has gone wrong."""


@dataclass
class FakeLogin:
    identifier: str
    app_name: str | None
    challenge: str
    status: str = "pending"
    acknowledged: bool = False
    delivered: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "")


class FakeServer:
    """The service; `with` starts and ends it, `restart` does both."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.logins: dict[str, FakeLogin] = {}
        self.asked: list[Asked] = []
        self.faults: deque[Callable[[Handler], None]] = deque()
        self.initiation: Callable[[Handler], None] | None = None
        self.expires_in = 1800
        self.oauth_url: str | None = None
        self.token_life = 3600
        self.refused = 0
        """How many good tokens /auth/session refuses."""
        self.refreshes = False
        """Whether it gives out refresh tokens, as since release 0.2."""
        self.refresh_tokens: list[str] = []
        """Of the one login, in order; the last one is good."""
        self.refresh_faults: deque[Callable[[Handler, dict[str, Any]], None]] = deque()
        """Taken first; each gets the answer that was due, after the rotation."""
        self.ended: list[str] = []
        """The tokens whose sessions were ended, in the order in which they were."""
        self.changed = threading.Condition()
        self.is_stopping = False
        self._port = 0
        self._http: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        if self._tls is not None:
            return f"https://localhost:{self._port}"
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> FakeServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.is_stopping = False
        self._http = Listener(("127.0.0.1", self._port), Handler)
        self._http.fake = self
        if self._tls is not None:
            self._http.socket = self._tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """End at once, with everything that is open."""
        if self._http is None:
            return
        with self.changed:
            self.is_stopping = True
            self.changed.notify_all()
        self._http.shutdown()
        self._thread.join(10)
        self._http.hang_up()
        self._http.server_close()
        self._http = None

    def refresh(self, token: str, login: FakeLogin) -> dict[str, Any] | None:
        """Rotate, or repeat the successor that was not used; None ends the session."""
        with self.changed:
            if token not in self.refresh_tokens[-2:]:
                self.refresh_tokens = []
                return None
            if token == self.refresh_tokens[-1]:
                self.refresh_tokens.append(f"refresh-{len(self.refresh_tokens)}")
            return self.tokens(login)

    def tokens(self, login: FakeLogin) -> dict[str, Any]:
        token = f"token-{secrets.token_hex(8)}"
        login.delivered.append(token)
        document = {
            "status": "completed",
            "token": token,
            "did": DID,
            "handle": login.identifier,
            "username": "alice",
            "expires_in": self.token_life,
        }
        if self.refreshes:
            self.refresh_tokens = self.refresh_tokens or ["refresh-0"]
            document |= {"refresh_token": self.refresh_tokens[-1]}
        return document

    def refreshed(self) -> list[Asked]:
        with self.changed:
            return [one for one in self.asked if one.path.endswith("/refresh")]

    def decide(self, status: str) -> None:
        """Have the person decide every login that is pending."""
        with self.changed:
            for login in self.logins.values():
                if login.status == "pending":
                    login.status = status
            self.changed.notify_all()

    def awaits(self) -> list[Asked]:
        with self.changed:
            return [one for one in self.asked if one.path.endswith("/await")]

    def wait_for(self, count: int) -> None:
        """Wait until so many awaits have arrived."""
        with self.changed:
            arrived = self.changed.wait_for(
                lambda: sum(o.path.endswith("/await") for o in self.asked) >= count,
                LONGEST,
            )
        assert arrived, f"{count} awaits did not arrive"

    def only(self) -> FakeLogin:
        (login,) = self.logins.values()
        return login


class Listener(ThreadingHTTPServer):
    daemon_threads = False
    allow_reuse_address = True
    fake: FakeServer

    def __init__(self, *arguments: Any) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An app that hangs up is no error here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LONGEST
    server: Listener

    @property
    def fake(self) -> FakeServer:
        return self.server.fake

    def log_message(self, *_: Any) -> None:
        return

    def do_POST(self) -> None:
        asked = self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if asked.path == "/auth/native/refresh":
            self.renews(json.loads(body)["refresh_token"])
            return
        if self.fake.initiation is not None:
            self.fake.initiation(self)
            return
        wanted = json.loads(body)
        assert self.headers["Content-Type"] == "application/json"
        session_id = secrets.token_urlsafe(32)
        login = FakeLogin(
            wanted["identifier"], wanted.get("app_name"), wanted["code_challenge"]
        )
        with self.fake.changed:
            self.fake.logins[session_id] = login
        page = self.fake.oauth_url or f"{self.fake.url}/auth/native/open?login=x"
        self.sends_json(
            201,
            {
                "oauth_url": page,
                "session_id": session_id,
                "user_code": "BCDF-GHJK",
                "expires_in": self.fake.expires_in,
            },
        )

    def renews(self, token: str) -> None:
        document = self.fake.refresh(token, self.fake.only())
        if self.fake.refresh_faults:
            self.fake.refresh_faults.popleft()(self, document or {})
        elif document is None:
            self.refuses(400, "invalid_grant")
        else:
            self.sends_json(200, document)

    def do_GET(self) -> None:
        asked = self._note()
        if asked.path == "/auth/session":
            self.identifies(asked.headers.get("authorization", ""))
            return
        acknowledges = self.headers.get("Last-Event-ID") == "completed"
        if self.fake.faults and not acknowledges:
            self.fake.faults.popleft()(self)
            return
        login = self.fake.logins.get(asked.path.split("/")[-2])
        if login is None:
            self.refuses(404, "login_expired")
        elif challenge(self.headers.get("Code-Verifier", "")) != login.challenge:
            self.refuses(403, "wrong_verifier")
        elif acknowledges:
            login.acknowledged = login.status == "completed"
            self.send_response(204)
            self.end_headers()
        elif "text/event-stream" in asked.accept:
            self.streams(login)
        else:
            self.polls(login)

    def do_DELETE(self) -> None:
        asked = self._note()
        assert asked.path == "/auth/session"
        if self.fake.faults:
            self.fake.faults.popleft()(self)
            return
        scheme, _, token = self.headers["Authorization"].partition(" ")
        assert scheme == "Bearer"
        given = [one for login in self.fake.logins.values() for one in login.delivered]
        if token not in given or token in self.fake.ended:
            self.refuses(401, "not_signed_in")
            return
        self.fake.ended.append(token)
        self.send_response(204)
        self.end_headers()

    def identifies(self, authorization: str) -> None:
        """Answer as services of the platform do, for a token that was given out."""
        given = {token for one in self.fake.logins.values() for token in one.delivered}
        if self.fake.refused:
            self.fake.refused -= 1
            self.refuses(401, "not_signed_in")
        elif authorization.removeprefix("Bearer ") in given:
            self.sends_json(200, {"did": DID, "username": "alice"})
        else:
            self.refuses(401, "not_signed_in")

    def streams(self, login: FakeLogin) -> None:
        self.begins_stream()
        if self._status(login) == "pending":
            self.event("pending", {"status": "pending"})
            self.waits(login, LONGEST)
        status = self._status(login)
        if status != "pending":
            self.event(status, self.document(login))
        self.ends_stream()

    def polls(self, login: FakeLogin) -> None:
        prefer = self.headers.get("Prefer", "wait=0")
        self.waits(login, min(float(prefer.removeprefix("wait=")), LONGEST))
        if self._status(login) == "pending":
            self.sends_json(202, {"status": "pending"}, retry_after=0)
        else:
            self.sends_json(200, self.document(login))

    def waits(self, login: FakeLogin, seconds: float) -> None:
        with self.fake.changed:
            self.fake.changed.wait_for(
                lambda: login.status != "pending" or self.fake.is_stopping, seconds
            )

    def document(self, login: FakeLogin) -> dict[str, Any]:
        status = self._status(login)
        if status != "completed":
            return {"status": status}
        return self.fake.tokens(login)

    # --- the wire -------------------------------------------------------------------

    def begins_stream(self, kind: str = "text/event-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.writes(b"retry: 10\n\n: heartbeat\n\n")

    def event(self, name: str, document: Mapping[str, Any]) -> None:
        data = json.dumps(document)
        self.writes(f"id: {name}\nevent: {name}\ndata: {data}\n\n".encode())

    def writes(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.flush()

    def ends_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def begins(self, status: int, kind: str, *, length: int) -> None:
        """Send a head that promises so many bytes."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def drops(self) -> None:
        """Break the connection where it stands."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def refuses(self, status: int, code: str, **more: Any) -> None:
        document = {
            "error": code,
            "error_description": f"Because of {code}.",
            "reference": "ABC123",
        }
        self.sends_json(status, document, **more)

    def sends_json(
        self, status: int, document: object, *, retry_after: int | None = None
    ) -> None:
        more = {} if retry_after is None else {"Retry_After": str(retry_after)}
        body = json.dumps(document).encode()
        self.sends(status, "application/json", body, **more)

    def sends(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _status(self, login: FakeLogin) -> str:
        return "expired" if login.acknowledged else login.status

    def _note(self) -> Asked:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, parse_qs(parts.query), headers)
        with self.fake.changed:
            self.fake.asked.append(asked)
            self.fake.changed.notify_all()
        return asked


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
