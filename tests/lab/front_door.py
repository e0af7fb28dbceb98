"""nginx on 127.0.0.1:443 with the laboratory's certificate: which name leads where."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from string import Template

from tests.lab.certificates import Certificates
from tests.lab.processes import Processes, Program

TEMPLATE = Path(__file__).with_name("nginx.conf")
PORT = 443
SERVER = """\
    server {{
        listen 127.0.0.1:443 ssl;
        server_name {names};
{guard}        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
"""


class PortTaken(Exception):
    """The one port of https belongs to another program."""


class _Configuration(Template):
    delimiter = "@"


def start_front_door(
    processes: Processes,
    directory: Path,
    *,
    certificates: Certificates,
    ports: Mapping[str, int],
    guards: Mapping[str, str] | None = None,
) -> Program:
    """Start nginx; `ports` says where each server name (or several) is served.

    `guards` are further locations of a server, by its name.
    """
    if _is_taken(PORT):
        raise PortTaken(f"something else listens on 127.0.0.1:{PORT}; stop it first")
    directory.mkdir()
    configuration = directory / "nginx.conf"
    text = _configuration(directory, certificates, ports=ports, guards=guards or {})
    configuration.write_text(text)
    return processes.start(
        "nginx",
        ["/usr/sbin/nginx", "-p", directory, "-c", configuration, "-e", "stderr"],
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        healthy=partial(_is_taken, PORT),
    )


def _configuration(
    directory: Path,
    certificates: Certificates,
    *,
    ports: Mapping[str, int],
    guards: Mapping[str, str],
) -> str:
    servers = [
        SERVER.format(names=names, port=port, guard=guards.get(names, ""))
        for names, port in ports.items()
    ]
    return _Configuration(TEMPLATE.read_text()).substitute(
        directory=directory,
        certificate=certificates.certificate,
        key=certificates.key,
        servers="\n".join(servers),
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
