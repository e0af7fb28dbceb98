"""What forward auth costs nginx: a small static file, with and without asking us.

nginx runs with the text of docs/forward-auth.md, in one process, and asks gunicorn as
it is shipped with one worker. CPU time of both is counted together; by time, nginx and
the service have a core each.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from tests.proxies.running import MODULES, PATHS, cached_in, snippet
from tests.serving.apps import People
from tests.serving.server import TICK, LocalConnection, Server, serving

from .verifying import FULL, Cost, Member, Size, cost

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Proxied:
    """nginx in front of the service; `cpu_seconds` counts both."""

    path: Path
    pid: int
    service: Server

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that both have taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2]
        own = sum(map(int, fields.split()[11:13])) * TICK
        return own + self.service.cpu_seconds()


def measure_proxied(size: Size = FULL) -> None:
    """Print the figures of forward auth behind nginx, or why there are none."""
    if not shutil.which("nginx", path=PATHS["PATH"]) or not MODULES.exists():
        print("0.0 nginx is not installed; `make e2e-install` does it")
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        people = People(folder)
        member = Member(people)
        service = stack.enter_context(serving("wsgi:app", folder, **people.environment))
        nginx = stack.enter_context(_nginx(folder / "nginx", service))
        costs = _measure(nginx, member.cookie(), size)
    plain = costs.pop("plain")
    print("Requests beside those of the same file without auth, for a second:")
    for kind, each in costs.items():
        pairs = list(zip(plain, each, strict=True))
        _print(f"{kind}, of time", [one.time / other.time for one, other in pairs])
        _print(f"{kind}, of CPU", [one.cpu / other.cpu for one, other in pairs])


def _print(kind: str, ratios: list[float]) -> None:
    middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
    print(f"  {kind:34} {middle:.2f}  ({least:.2f} to {most:.2f})")


def _measure(nginx: Proxied, cookie: str, size: Size) -> dict[str, list[Cost]]:
    kinds = {
        # An open file costs so little that a tick of the kernel needs many.
        "plain": ("/plain/file", 10 * size.requests),
        "nginx, auth_request": ("/members/file", 3 * size.requests),
        "with its cache": ("/cached/file", 3 * size.requests),
    }
    costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
    for _ in range(size.repetitions):
        for kind, (path, rounds) in kinds.items():
            costs[kind].append(cost(nginx, repeat(_get(path, cookie)), rounds))
    return costs


def _get(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: forum\r\nCookie: {cookie}\r\n\r\n".encode()


@contextmanager
def _nginx(folder: Path, service: Server) -> Iterator[Proxied]:
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "file").write_text("hello")
    socket, configuration = folder / "nginx.sock", folder / "nginx.conf"
    configuration.write_text(_configuration(folder, service))
    command = ["nginx", "-p", folder, "-c", configuration, "-e", "stderr"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=PATHS, stderr=log)
    try:
        nginx = Proxied(socket, process.pid, service)
        _wait(socket, process)
        yield nginx
    finally:
        process.terminate()
        process.wait()


def _wait(socket: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if socket.exists():
            connection = LocalConnection(socket)
            connection.request("GET", "/plain/file")
            connection.getresponse().read()
            connection.close()
            return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError("nginx does not serve")


def _configuration(folder: Path, service: Server) -> str:
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
    modules = ("ndk_http_module.so", "ngx_http_set_misc_module.so")
    load = "".join(f"load_module {MODULES / name};\n" for name in modules)
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)
    return (
        f"{load}user root;\ndaemon off;\nmaster_process off;\npid {folder}/pid;\n"
        f"events {{}}\nhttp {{\n{places}access_log off;\nkeepalive_requests 1000000;\n"
        f"{upstream}\n{zone}\nserver {{\nlisten unix:{folder}/nginx.sock;\n"
        f"location /plain/ {{ alias {folder}/static/; }}\n{asked}\n{cached}\n}}\n}}\n"
    )
