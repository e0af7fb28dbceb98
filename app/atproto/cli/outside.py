"""The outside of the command line: environment, terminal, browser, network, clock.

Tests replace it with a network and a person of their own.
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

USER_AGENT = "latchkey-atproto/0.2 (command line)"

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Without one of these variables there is no graphical browser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """The network options; their names are those of the service's settings."""

    lab_network: bool
    plc_url: str
    ca_bundle: str | None
    nameservers: tuple[tuple[str, int], ...]
    handle_suffix: str

    @property
    def policy(self) -> NetworkPolicy:
        """The network policy."""
        return NetworkPolicy.lab() if self.lab_network else NetworkPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """HTTP and DNS."""

    http: HTTP
    txt: TxtLookup


def open_network(options: NetworkOptions) -> Network:
    """Return the real network, with the library's HTTP client."""
    http = SafeHTTP(
        policy=options.policy, user_agent=USER_AGENT, ca_bundle=options.ca_bundle
    )
    return Network(http=http, txt=DnsTxtLookup(options.nameservers or None))


def open_browser(url: str) -> bool:
    """Open a browser if there is a screen; return whether it was tried.

    In another process, because browsers print to the terminal that they inherit, and a
    script may read our output.
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
    """Read one line without echo; "" at the end of the input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    try:
        return getpass(prompt, stream=sys.stderr)
    except EOFError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything outside of one run of the command line."""

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
