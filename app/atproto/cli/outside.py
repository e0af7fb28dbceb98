"""What is not ours: the environment, the terminal, the browser, the network, the time.

The seam for tests, which bring a network and a person of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from getpass import getpass
from pathlib import Path
from typing import TextIO

from ..http.client import SafeHTTP
from ..http.types import HTTP
from ..http.url_policy import NetworkPolicy
from ..identity.dns import DnsTxtLookup, TxtLookup
from ..stores.private_file import state_directory

USER_AGENT = "latchkey-atproto/0.1 (command line)"

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Without one of these a browser would be one in the terminal, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """How the network is reached; the names are those of the service's settings."""

    lab_network: bool
    plc_url: str
    ca_bundle: str | None
    nameservers: tuple[tuple[str, int], ...]
    handle_suffix: str

    @property
    def policy(self) -> NetworkPolicy:
        """Return which hosts may be asked at all."""
        return NetworkPolicy.lab() if self.lab_network else NetworkPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The two ways out: HTTP and DNS."""

    http: HTTP
    txt: TxtLookup


def open_network(options: NetworkOptions) -> Network:
    """Return the real network, behind the library's one hardened door."""
    http = SafeHTTP(
        policy=options.policy, user_agent=USER_AGENT, ca_bundle=options.ca_bundle
    )
    return Network(http=http, txt=DnsTxtLookup(options.nameservers or None))


def open_browser(url: str) -> bool:
    """Open the person's browser, if there is a screen; return whether it was tried.

    In a process of its own: browsers print on the terminal that they inherit, which a
    script reads.
    """
    if sys.platform == "linux" and not any(map(os.environ.get, SCREENS)):
        return False
    threading.Thread(target=_launch, args=[url], daemon=True).start()
    return True


def _launch(url: str) -> None:
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "webbrowser", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )


def ask(prompt: str) -> str:
    """Read one line, which the terminal does not show; "" at the end of the input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    try:
        return getpass(prompt, stream=sys.stderr)
    except EOFError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything around one run of the program."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    state_directory: Callable[[str], Path] = state_directory
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    network: Callable[[NetworkOptions], Network] = open_network
    browser: Callable[[str], bool] = open_browser
    ask: Callable[[str], str] = ask
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
