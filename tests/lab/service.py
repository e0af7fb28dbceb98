"""Latchkey itself in a laboratory: set up by its own command, served by gunicorn.

It runs as in production: a process of its own with the shipped `gunicorn.conf.py`,
nothing but its settings in the environment, and the keys that `init` made.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.network import NODES, SIGN_IN, Network
from tests.lab.processes import Program, answers

ROOT = Path(__file__).parents[2]
PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"
COMMAND_WITHIN = 60.0
PLATFORM = "Meadow"
COOKIE_DOMAIN = "platform.internal"
SCOPE_MAX = "atproto repo:app.relay.track blob:image/*"
"""What services of the laboratory's platform may ask for."""

XRPC_ALLOW = (
    "repo:app.relay.track blob:image/* rpc:com.atproto.server.getSession "
    "rpc:com.atproto.sync.getBlob"
)
"""What they may do with it through the service."""


CLOCK = """
import time
_now = time.time
time.time = lambda: _now() + {ahead}
"""
"""Python imports it at its start, before anything reads the clock."""


@dataclass(frozen=True)
class Service:
    """A running service: where it answers, what it was told, where its files are."""

    url: str
    environment: Mapping[str, str]
    program: Program

    @property
    def database_url(self) -> str:
        """The URL of the database, as the service was given it."""
        return self.environment["LATCHKEY_DATABASE_URL"]

    def command(self, *arguments: str) -> Any:
        """Run an operator's command with --json, and return the record it prints."""
        output = _run(
            ["flask", "--app", "wsgi", *arguments, "--json"], self.environment
        )
        return json.loads(output)


def start_in_development(
    network: Network,
    *,
    port: int,
    name: str = "latchkey",
    settings: Mapping[str, str] | None = None,
) -> Service:
    """Start loopback development: no domain, no TLS, one setting for the port."""
    url = f"http://127.0.0.1:{port}"
    bind = {"LATCHKEY_BIND": f"127.0.0.1:{port}"}
    return _start(network, name, url, bind | dict(settings or {}))


def start_in_production(
    network: Network,
    *,
    host: str = SIGN_IN,
    workers: int = 3,
    database_url: str | None = None,
    more: Mapping[str, str] | None = None,
) -> Service:
    """Start a confidential client behind the front door, for a whole domain.

    `database_url` is SQLite in the network's directory unless it is given; `more` are
    further settings.
    """
    url = f"https://{host}"
    settings = {
        "LATCHKEY_PUBLIC_URL": url,
        "LATCHKEY_COOKIE_DOMAIN": COOKIE_DOMAIN,
        "LATCHKEY_CA_BUNDLE": str(network.ca),
        "LATCHKEY_TRUSTED_PROXIES": "1",
        "LATCHKEY_BIND": f"127.0.0.1:{network.ports[host]}",
        "WEB_CONCURRENCY": str(workers),
    }
    if database_url:
        settings["LATCHKEY_DATABASE_URL"] = database_url
    return _start(network, host, url, {**settings, **(more or {})})


def start_node(
    network: Network,
    node: str,
    *,
    database_url: str,
    ahead: float = 0,
    settings: Mapping[str, str] | None = None,
) -> Service:
    """Start one of several nodes of the platform NODES, on a database that they share.

    Its clock is some seconds `ahead` of this machine's.
    """
    port = network.ports[f"{node}.{NODES}"]
    directory = network.directory / f"node-{node}"
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(CLOCK.format(ahead=ahead))
    shared = network.directory / "secret-key"
    if not shared.exists():
        _secret_key(network.directory)
    environment = {
        "LATCHKEY_PUBLIC_URL": f"https://{NODES}",
        "LATCHKEY_COOKIE_DOMAIN": COOKIE_DOMAIN,
        "LATCHKEY_CA_BUNDLE": str(network.ca),
        "LATCHKEY_TRUSTED_PROXIES": "1",
        "LATCHKEY_BIND": f"127.0.0.1:{port}",
        "LATCHKEY_DATABASE_URL": database_url,
        "LATCHKEY_SECRET_KEY_FILE": str(shared),
        "PYTHONPATH": str(directory),
        "WEB_CONCURRENCY": "2",
        **(settings or {}),
    }
    healthy = f"http://127.0.0.1:{port}/readyz"
    return _start(network, f"node-{node}", f"https://{NODES}", environment, healthy)


def _start(
    network: Network,
    name: str,
    url: str,
    settings: Mapping[str, str],
    healthy: str | None = None,
) -> Service:
    directory = network.directory / name
    directory.mkdir(exist_ok=True)
    environment = {
        **_laboratory(network),
        "PATH": PATH,
        "HOME": str(directory),
        "LATCHKEY_PLATFORM_NAME": PLATFORM,
        "LATCHKEY_DATABASE_URL": f"sqlite:///{directory}/latchkey.db",
        **settings,
    }
    if "LATCHKEY_SECRET_KEY_FILE" not in environment:
        environment["LATCHKEY_SECRET_KEY_FILE"] = str(_secret_key(directory))
    _run(["flask", "--app", "wsgi", "init"], environment)
    program = network.processes.start(
        name,
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"],
        environment=environment,
        healthy=answers(healthy or f"{url}/readyz", ca=network.ca),
        directory=ROOT,
    )
    return Service(url, environment, program)


def _laboratory(network: Network) -> dict[str, str]:
    """Return the settings that put the service into this network."""
    return {
        "LATCHKEY_LAB_NETWORK": "on",
        "LATCHKEY_PLC_URL": network.plc_url,
        "LATCHKEY_DNS_NAMESERVERS": f"127.0.0.1:{network.dns.port}",
        "LATCHKEY_HANDLE_SUFFIX": f".{network.handle_domain}",
        "LATCHKEY_SIGNUP_HOSTS": network.pds_url,
        "LATCHKEY_SCOPE_MAX": SCOPE_MAX,
        "LATCHKEY_XRPC_ALLOW": XRPC_ALLOW,
        # Everybody here comes from one address and lives at one host.
        "LATCHKEY_RATE_LIMIT_LOGIN_PER_ADDRESS": "1000/minute",
        "LATCHKEY_RATE_LIMIT_LOGIN_PER_HOST": "1000/minute",
        "LATCHKEY_RATE_LIMIT_AUTHORIZE_PER_ADDRESS": "1000/minute",
    }


def _secret_key(directory: Path) -> Path:
    path = directory / "secret-key"
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(32))
    return path


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    """Run one of the service's own commands to its end; return what it prints."""
    completed = subprocess.run(
        [sys.executable, "-m", *command],
        env=dict(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=COMMAND_WITHIN,
        check=False,
    )
    if completed.returncode != 0:
        output = completed.stdout + completed.stderr
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{output}")
    return completed.stdout
