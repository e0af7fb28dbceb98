"""oauth2-proxy as a neighbour of the benchmark, with a session of a small provider.

The program is what `tests/e2e/apps/install` compiles. The provider answers one token
request; the session is in the cookie, as oauth2-proxy is shipped.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from app.atproto.crypto.keys import SigningKey
from tests.serving.server import LocalConnection, cpu_seconds_of

PROGRAM = Path(__file__).parents[2] / "var" / "apps" / "bin" / "oauth2-proxy"
CLIENT = "bench"
SECRET = "s" * 32
ISSUER = "http://127.0.0.1"


@dataclass(frozen=True)
class Neighbour:
    """oauth2-proxy on a unix socket, and the cookie of a person who is signed in."""

    path: Path
    pid: int
    cookie: str = ""

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that it has taken so far."""
        return cpu_seconds_of(self.pid)


@contextmanager
def oauth2_proxy(folder: Path) -> Iterator[Neighbour]:
    """Start oauth2-proxy and sign a person in."""
    folder.mkdir()
    with _provider() as port:
        process = subprocess.Popen(
            [PROGRAM, *_options(folder / "socket", f"http://127.0.0.1:{port}")],
            env={},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            neighbour = Neighbour(folder / "socket", process.pid)
            _wait(neighbour.path, process)
            cookie = _sign_in(neighbour.path)
            yield Neighbour(neighbour.path, process.pid, cookie)
        finally:
            process.terminate()
            process.wait()


def _options(socket: Path, provider: str) -> list[str]:
    return [
        f"--http-address=unix://{socket}",
        "--provider=oidc",
        "--skip-oidc-discovery",
        f"--oidc-issuer-url={ISSUER}",
        f"--oidc-jwks-url={provider}/jwks",
        f"--login-url={provider}/authorize",
        f"--redeem-url={provider}/token",
        f"--redirect-url={ISSUER}/oauth2/callback",
        f"--client-id={CLIENT}",
        f"--client-secret={SECRET}",
        f"--cookie-secret={SECRET}",
        "--cookie-secure=false",
        "--email-domain=*",
        "--set-xauthrequest",
        # We log no line for a question of a proxy either.
        "--request-logging=false",
        "--auth-logging=false",
        "--standard-logging=false",
    ]


def _wait(socket: Path, process: subprocess.Popen[bytes]) -> None:
    while not socket.exists():
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise RuntimeError("oauth2-proxy ended")


def _sign_in(socket: Path) -> str:
    """Go to the provider and back; return the cookies of the session."""
    location, started = _visit(socket, "/oauth2/start", "")
    state = parse_qs(urlsplit(location).query)["state"][0]
    back = urlencode({"code": "bench", "state": state})
    _, session = _visit(socket, f"/oauth2/callback?{back}", started)
    if "_oauth2_proxy" not in session:
        raise RuntimeError("oauth2-proxy has made no session")
    return session


def _visit(socket: Path, path: str, cookies: str) -> tuple[str, str]:
    """Return where an answer leads, and the cookies that it sets."""
    connection = LocalConnection(socket)
    connection.request("GET", path, headers={"Cookie": cookies, "Host": "127.0.0.1"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    jar: SimpleCookie = SimpleCookie()
    for header in answer.headers.get_all("Set-Cookie", []):
        jar.load(header)
    kept = [f"{name}={one.value}" for name, one in jar.items() if one.value]
    return answer.headers.get("Location", ""), "; ".join(kept)


@contextmanager
def _provider() -> Iterator[int]:
    """Serve the keys and one id_token, on a port that the system chooses."""
    key = SigningKey.generate("RS256")

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"keys": [key.public_jwk()]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(_tokens(key))

        def log_message(self, *_: object) -> None:
            """Stay silent."""

        def _answer(self, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _tokens(key: SigningKey) -> dict[str, object]:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        "aud": CLIENT,
        "iat": now,
        "exp": now + 3600,
        "email": "bench@example.com",
        "email_verified": True,
        "preferred_username": "bench",
    }
    id_token = key.sign(claims, headers={"kid": key.kid})
    tokens = {"access_token": "bench", "token_type": "Bearer", "expires_in": 3600}
    return {**tokens, "id_token": id_token}
