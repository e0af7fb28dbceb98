"""Real proxies with the configuration that docs/forward-auth.md prints.

Each listens with TLS on a unix socket, so no test needs a free port.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path

from tests.lab.processes import Processes

PAGE = Path(__file__).parents[2] / "docs" / "forward-auth.md"
HOST = "app.platform.cafe"
PATHS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
MODULES = Path("/usr/lib/nginx/modules")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a client gets from a proxy."""

    status: int
    headers: HTTPMessage
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Where everything is: the sockets, ports and files of one proxy."""

    folder: Path
    certificate: Path
    asks: int
    """Port of the sign-in service."""
    serves: int
    """Port of the service behind the proxy."""

    @property
    def listens(self) -> Path:
        """The socket of the proxy."""
        return self.folder / "proxy.sock"

    def wired(self, text: str) -> str:
        """Return a snippet of the page with the ports of this test."""
        return text.replace(":8000", f":{self.asks}").replace(
            ":9000", f":{self.serves}"
        )


def snippet(name: str) -> str:
    """Return the one snippet of the page that is marked with this name."""
    [found] = re.findall(rf"```{name}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def cached_in(locations: str) -> str:
    """Return nginx's locations with the cache in the last one, which asks us."""
    start, end = locations.rsplit("}", 1)
    return f"{start}{snippet('nginx cached')}}}{end}"


def ask(
    wiring: Wiring,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes = b"",
) -> Answer:
    """Send a request to the proxy, headers as they are written, and read the answer."""
    with connected(wiring) as connection:
        send(connection, method, path, headers, body)
        response = HTTPResponse(connection, method=method)
        response.begin()
        return Answer(
            status=response.status, headers=response.headers, body=response.read()
        )


def send(
    connection: socket.socket,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes = b"",
) -> None:
    """Write a request, to HOST unless a header names another one."""
    lines = [f"{method} {path} HTTP/1.1"]
    if not any(name == "Host" for name, _ in headers):
        lines.append(f"Host: {HOST}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


@contextmanager
def connected(wiring: Wiring) -> Iterator[ssl.SSLSocket]:
    """Open a TLS connection to the proxy."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(10)
        plain.connect(str(wiring.listens))
        with context.wrap_socket(plain, server_hostname=HOST) as connection:
            yield connection


def start_nginx(processes: Processes, wiring: Wiring, *, is_cached: bool) -> None:
    """Start nginx with the snippets of its section in a server."""
    locations = wiring.wired(snippet("nginx"))
    beside, load = wiring.wired(snippet("nginx upstream")), ""
    if is_cached:
        names = ("ndk_http_module.so", "ngx_http_set_misc_module.so")
        load = "".join(f"load_module {MODULES / name};\n" for name in names)
        beside += snippet("nginx cache").replace(
            "/run/latchkey-verify", str(wiring.folder / "cache")
        )
        locations = cached_in(locations)
    folder, certificate = wiring.folder, wiring.certificate
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"{load}daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\n"
        f"error_log stderr warn;\nevents {{}}\n"
        f"http {{\n{temporary}    access_log off;\n"
        f"    ssl_certificate {certificate};\n    ssl_certificate_key {certificate};\n"
        f"{beside}\n    server {{\n    listen unix:{wiring.listens} ssl;\n"
        f"    server_name {HOST};\n{locations}\n    }}\n}}\n"
    )
    command = ["nginx", "-p", folder, "-c", configuration, "-e", "stderr"]
    _start(processes, wiring, command)


def start_caddy(processes: Processes, wiring: Wiring) -> None:
    """Start Caddy with the site of its section."""
    key = wiring.certificate
    tls = f"    bind unix/{wiring.listens}\n    tls {key} {key}\n"
    site = wiring.wired(snippet("caddyfile")).replace(
        "app.example.org {\n", f"{HOST} {{\n{tls}"
    )
    configuration = wiring.folder / "Caddyfile"
    options = "{\n    admin off\n    auto_https off\n}\n"
    configuration.write_text(options + site)
    command = ["caddy", "run", "--config", configuration, "--adapter", "caddyfile"]
    _start(processes, wiring, command)


def start_haproxy(processes: Processes, wiring: Wiring) -> None:
    """Start HAProxy with the script and the configuration of its section."""
    script, configuration = (
        wiring.folder / "latchkey.lua",
        wiring.folder / "haproxy.cfg",
    )
    script.write_text(wiring.wired(snippet("lua")))
    configuration.write_text(
        wiring.wired(snippet("haproxy"))
        .replace("/etc/haproxy/latchkey.lua", str(script))
        .replace("bind :443", f"bind {wiring.listens}")
        .replace("/etc/haproxy/app.example.org.pem", str(wiring.certificate))
    )
    _start(processes, wiring, ["haproxy", "-db", "-f", configuration])


def _start(processes: Processes, wiring: Wiring, command: list[str | Path]) -> None:
    home = {"HOME": str(wiring.folder), "XDG_DATA_HOME": str(wiring.folder)}
    processes.start(
        "proxy",
        command,
        environment=PATHS | home,
        healthy=partial(_is_open, wiring.listens),
    )


def _is_open(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


START: dict[str, Callable[[Processes, Wiring], None]] = {
    "nginx": partial(start_nginx, is_cached=False),
    "nginx-cache": partial(start_nginx, is_cached=True),
    "caddy": start_caddy,
    "haproxy": start_haproxy,
}
