"""nginx on 127.0.0.1:443 with the laboratory's certificate: which name leads where."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template

from tests.lab.certificates import Certificates
from tests.lab.processes import Processes, Program

TEMPLATE = Path(__file__).with_name("nginx.conf")
SERVER = """\
    server {{
        listen 127.0.0.1:443 ssl;
        server_name {names};
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
"""


class _Configuration(Template):
    delimiter = "@"


def start_front_door(
    processes: Processes,
    directory: Path,
    *,
    certificates: Certificates,
    ports: Mapping[str, int],
) -> Program:
    """Start nginx; `ports` says where each server name (or several) is served."""
    directory.mkdir()
    configuration = directory / "nginx.conf"
    configuration.write_text(_configuration(directory, certificates, ports))
    return processes.start(
        "nginx",
        ["/usr/sbin/nginx", "-p", directory, "-c", configuration, "-e", "stderr"],
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        healthy=_listens(443),
    )


def _configuration(
    directory: Path, certificates: Certificates, ports: Mapping[str, int]
) -> str:
    servers = [SERVER.format(names=names, port=port) for names, port in ports.items()]
    return _Configuration(TEMPLATE.read_text()).substitute(
        directory=directory,
        certificate=certificates.certificate,
        key=certificates.key,
        servers="\n".join(servers),
    )


def _listens(port: int) -> Callable[[], bool]:
    def check() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return check
