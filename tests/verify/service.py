"""A sign-in service for the verifier: its keys, JWKS, revocation feed and outages."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from latchkey_verify import Verifier
from tests.fakes.keys import rsa_key

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER = "https://auth.example.org"
HOUR = 3_600
_KEYS = [rsa_key("first"), rsa_key("id")]


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeService:
    """Answers as the service does, and counts what it was asked for."""

    def __init__(self, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.clock = Clock(float(int(time.time())))
        self.published = {"first": _KEYS[0]}
        self.unusable: list[Any] = []
        self.ended: dict[str, int] = {}
        self.is_down = False
        self.asked: list[str] = []
        self.feed_signer = "first"
        self.page = 100

    def verifier(self, **options: Any) -> Verifier:
        return Verifier(
            self.issuer,
            fetch=self.fetch,
            clock=self.clock,
            monotonic=self.clock,
            **options,
        )

    def fetch(self, url: str) -> bytes:
        path, _, query = url.removeprefix(self.issuer).partition("?")
        self.asked.append(path)
        if self.is_down:
            raise OSError("connection refused")
        if path == "/auth/revocations":
            return self.feed(query).encode()
        return json.dumps(self.jwks()).encode()

    def jwks(self) -> dict[str, Any]:
        keys = [public_jwk(kid, key) for kid, key in self.published.items()]
        return {"keys": [*self.unusable, *keys]}

    def feed(self, query: str) -> str:
        start = int(query.removeprefix("since=") or 0)
        page = list(self.ended.items())[start : start + self.page]
        claims = {
            "iss": self.issuer,
            "iat": int(self.clock.now),
            "exp": int(self.clock.now) + HOUR,
            "sessions": dict(page),
            "keys": list(self.published),
            "next": str(start + len(page)),
            "more": start + len(page) < len(self.ended),
        }
        return self.sign(claims, typ="revocations+jwt", kid=self.feed_signer)

    def publish(self, kid: str) -> None:
        self.published[kid] = _KEYS[1]

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock.now)
        return {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": "did:plc:alice",
            "username": "alice",
            "handle": "alice.example.com",
            "sid": "session-1",
            "jti": "token-1",
            "iat": now - 30,
            "nbf": now - 30,
            "exp": now + HOUR,
        } | changes

    def token(self, *, kid: str = "first", typ: str = "JWT", **changes: Any) -> str:
        return self.sign(self.claims(**changes), typ=typ, kid=kid)

    def sign(
        self, claims: dict[str, Any], *, typ: str, kid: str, **headers: Any
    ) -> str:
        key = self.published.get(kid, _KEYS[1])
        return jwt.encode(
            claims, key, algorithm="RS256", headers={"kid": kid, "typ": typ, **headers}
        )


def public_jwk(kid: str, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**jwk, "kid": kid, "use": "sig", "alg": "RS256"}


@contextmanager
def listening() -> Iterator[FakeService]:
    """Serve the fake service's documents on this machine."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = service.fetch(f"{service.issuer}{self.path}")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        service = FakeService(f"http://127.0.0.1:{server.server_port}")
        service.ended["ended"] = int(service.clock.now) + HOUR
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join(10)
