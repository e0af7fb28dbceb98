"""What forward auth costs nginx: a small static file, with and without asking us.

oauth2-proxy stands beside us, asked by itself and by nginx, where it is installed.
nginx runs with the text of docs/forward-auth.md, in one process, and asks gunicorn as
it is shipped with one worker, on a unix socket. It is asked on TCP, as a proxy is: on a
unix socket the file without auth would cost half as much.

By CPU time, that of both processes is counted together, and nothing of the client. By
time, 16 connections with one request under way each share the machine with both: what
a load generator such as `wrk -t1 -c16` prints. The client of this file is quicker than
the service and slower than nginx, so the ratio by time is the milder one.
"""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from tests.proxies.running import MODULES, PATHS, cached_in, snippet
from tests.serving.apps import People
from tests.serving.server import Server, cpu_seconds_of, serving

from .connections import Measured, connect, read_answer
from .oauth2_proxy import PROGRAM, Neighbour, oauth2_proxy
from .verifying import FULL, Cost, Member, Size, cost

VERIFY = "/auth/verify"

THEIR_UPSTREAM = "upstream theirs {{ server unix:{path}; keepalive 16; }}\n"
THEIRS = """
location /theirs/ {{
    auth_request /_theirs;
    auth_request_set $email $upstream_http_x_auth_request_email;
    alias {folder}/static/;
}}
location = /_theirs {{
    internal;
    proxy_pass http://theirs/oauth2/auth;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
}}
"""
"""oauth2-proxy as its own documentation has nginx ask it, connections kept open."""

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Proxied:
    """nginx in front of those that it asks; `cpu_seconds` counts all of them."""

    path: int
    pid: int
    asked: tuple[Measured, ...]

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that they have taken so far."""
        asked = sum(one.cpu_seconds() for one in self.asked)
        return cpu_seconds_of(self.pid) + asked


def measure_proxied(size: Size = FULL) -> None:
    """Print the figures of forward auth behind nginx, or why there are none."""
    if not shutil.which("nginx", path=PATHS["PATH"]) or not MODULES.exists():
        print("0.0 nginx is not installed; `make e2e-install` does it")
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        people = People(folder)
        cookie = Member(people).cookie()
        service = stack.enter_context(serving("wsgi:app", folder, **people.environment))
        neighbour = None
        if PROGRAM.exists():
            neighbour = stack.enter_context(oauth2_proxy(folder / "neighbour"))
        asked = (service,) if neighbour is None else (service, neighbour)
        nginx = stack.enter_context(_nginx(folder / "nginx", asked))
        _print_cached(_measure(nginx, KINDS, cookie, size))
        if neighbour is None:
            print("oauth2-proxy is not installed; tests/e2e/apps/install compiles it")
            return
        costs = _measure(nginx, NEIGHBOURS, cookie, size, theirs=neighbour.cookie)
        _print_beside("/oauth2/auth", neighbour, service, cookie, size)
    _print("cached, of oauth2-proxy's by nginx", _ratios("theirs", "ours", costs))


KINDS = {
    "plain": ("/plain/file", 10),
    "nginx, auth_request": ("/members/file", 3),
    "with its cache": ("/cached/file", 3),
}
"""Path, and how often it is asked for."""

NEIGHBOURS = {"theirs": ("/theirs/file", 3), "ours": ("/cached/file", 3)}


def _print_cached(costs: Mapping[str, list[Cost]]) -> None:
    print("Requests for a second of CPU, by those of the same file without auth:")
    for kind in ("nginx, auth_request", "with its cache"):
        _print(kind, _ratios("plain", kind, costs))
    print("The same for a second of time:")
    for kind in ("nginx, auth_request", "with its cache"):
        _print(kind, _ratios("plain", kind, costs, "time"))


def _print_beside(
    path: str, neighbour: Neighbour, service: Server, cookie: str, size: Size
) -> None:
    print("Requests for a second of CPU, by those of oauth2-proxy:")
    ratios = []
    for _ in range(size.repetitions):
        asks = repeat(_get(path, neighbour.cookie)), repeat(_get(VERIFY, cookie))
        theirs = cost(neighbour, asks[0], 3 * size.requests)
        ratios.append(theirs.cpu / cost(service, asks[1], 3 * size.requests).cpu)
    _print("/auth/verify, token seen before", ratios)


def _ratios(
    base: str, kind: str, costs: Mapping[str, list[Cost]], of: str = "cpu"
) -> list[float]:
    pairs = zip(costs[base], costs[kind], strict=True)
    return [getattr(one, of) / getattr(other, of) for one, other in pairs]


def _print(kind: str, ratios: list[float]) -> None:
    middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
    print(f"  {kind:34} {middle:.2f}  ({least:.2f} to {most:.2f})")


def _measure(
    nginx: Proxied,
    kinds: Mapping[str, tuple[str, int]],
    cookie: str,
    size: Size,
    theirs: str = "",
) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
    for _ in range(size.repetitions):
        for kind, (path, times) in kinds.items():
            shown = theirs if kind == "theirs" else cookie
            asks = repeat(_get(path, shown))
            costs[kind].append(cost(nginx, asks, times * size.requests))
    return costs


def _get(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: forum\r\nCookie: {cookie}\r\n\r\n".encode()


@contextmanager
def _nginx(folder: Path, asked: tuple[Measured, ...]) -> Iterator[Proxied]:
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "file").write_text("hello")
    port, configuration = _free_port(), folder / "nginx.conf"
    configuration.write_text(_configuration(folder, port, *asked))
    command = ["nginx", "-p", folder, "-c", configuration, "-e", "stderr"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=PATHS, stderr=log)
    try:
        nginx = Proxied(port, process.pid, asked)
        _wait(nginx, process)
        yield nginx
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait(nginx: Proxied, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with suppress(ConnectionError), connect(nginx) as connection:
            connection.sendall(_get("/plain/file", ""))
            return read_answer(connection)
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError("nginx does not serve")


def _configuration(
    folder: Path, port: int, service: Measured, neighbour: Measured | None = None
) -> str:
    zone = snippet("nginx cache").replace("/run/latchkey-verify", str(folder / "cache"))
    upstream = snippet("nginx upstream").replace(
        "127.0.0.1:8000", f"unix:{service.path}"
    )
    asked = snippet("nginx").replace(
        "proxy_pass http://127.0.0.1:9000;", f"alias {folder}/static/;"
    )
    cached = cached_in(
        asked.replace("_verify", "_kept").replace("/members/", "/cached/")
    )
    if neighbour is not None:
        upstream += THEIR_UPSTREAM.format(path=neighbour.path)
        asked += THEIRS.format(folder=folder)
    modules = ("ndk_http_module.so", "ngx_http_set_misc_module.so")
    load = "".join(f"load_module {MODULES / name};\n" for name in modules)
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)
    return (
        f"{load}user root;\ndaemon off;\nmaster_process off;\npid {folder}/pid;\n"
        f"events {{}}\nhttp {{\n{places}access_log off;\nkeepalive_requests 1000000;\n"
        f"{upstream}\n{zone}\nserver {{\nlisten 127.0.0.1:{port};\n"
        f"location /plain/ {{ alias {folder}/static/; }}\n{asked}\n{cached}\n}}\n}}\n"
    )
