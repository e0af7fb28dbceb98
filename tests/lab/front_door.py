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
{guard}        location / {{ proxy_pass http://{upstream}; }}
    }}
"""
UPSTREAM = "server 127.0.0.1:{} max_fails=0;"


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
    nodes: Mapping[str, Mapping[str, int]] | None = None,
    guards: Mapping[str, str] | None = None,
    beside: str = "",
) -> Program:
    """Start nginx; `ports` says where each server name (or several) is served.

    `nodes` are server names with several nodes, each at its port: requests are balanced
    between them, and one with the header X-Node goes to the node that it names.
    `guards` are further locations of a server, by its name; `beside` stands beside the
    servers.
    """
    if _is_taken(PORT):
        raise PortTaken(f"something else listens on 127.0.0.1:{PORT}; stop it first")
    directory.mkdir()
    configuration = directory / "nginx.conf"
    servers = _servers(ports=ports, nodes=nodes or {}, guards=guards or {})
    text = _Configuration(TEMPLATE.read_text()).substitute(
        directory=directory,
        certificate=certificates.certificate,
        key=certificates.key,
        servers="\n".join([beside, *servers]),
    )
    configuration.write_text(text)
    return processes.start(
        "nginx",
        ["/usr/sbin/nginx", "-p", directory, "-c", configuration, "-e", "stderr"],
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        healthy=partial(_is_taken, PORT),
    )


def _servers(
    *,
    ports: Mapping[str, int],
    nodes: Mapping[str, Mapping[str, int]],
    guards: Mapping[str, str],
) -> list[str]:
    servers = [
        SERVER.format(
            names=names, upstream=f"127.0.0.1:{port}", guard=guards.get(names, "")
        )
        for names, port in ports.items()
    ]
    for number, (name, at) in enumerate(nodes.items()):
        servers.append(_balanced(f"balanced_{number}", at))
        upstream = f"$balanced_{number}"
        servers.append(SERVER.format(names=name, upstream=upstream, guard=""))
    return servers


def _balanced(name: str, at: Mapping[str, int]) -> str:
    """Return an upstream of all nodes, one of each, and the map that chooses."""
    upstreams = {f"{name}_{node}": [port] for node, port in at.items()}
    upstreams[f"{name}_all"] = list(at.values())
    blocks = [
        f"    upstream {upstream} {{ {' '.join(map(UPSTREAM.format, ports))} }}"
        for upstream, ports in upstreams.items()
    ]
    chosen = "".join(f" {node} {name}_{node};" for node in at)
    blocks.append(f"    map $http_x_node ${name} {{ default {name}_all;{chosen} }}")
    return "\n".join(blocks)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
