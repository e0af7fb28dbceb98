"""The sample platform of docs/platform.md on sibling hosts, as the page prints it."""

from __future__ import annotations

import shutil
import sys

from tests.lab.clocks import Clock
from tests.lab.network import BOARD, LAB, NODE, PAGE, SIGN_IN, WIKI, Network
from tests.lab.processes import listens
from tests.printed import ROOT, shown

DOCUMENT = "docs/platform.md"
PACKAGES = ROOT / "packages"


def start_platform(network: Network) -> Clock:
    """Start the page, the Python app and the Node app behind the front door.

    Returns the clock of the two apps.
    """
    clock = Clock.made(network.directory / "clock-of-services", both=True)
    _start_page(network)
    _start_wiki(network, clock)
    _start_board(network, clock)
    return clock


def printed(language: str) -> str:
    """Return a program of the page with the laboratory's names."""
    text = shown(language, DOCUMENT)
    names = {"auth": SIGN_IN, "page": PAGE, "wiki": WIKI, "board": BOARD}
    for name, host in names.items():
        text = text.replace(f"{name}.example.org", host)
    return text


def _start_page(network: Network) -> None:
    folder, port = network.directory / "page", network.ports[PAGE]
    (folder / "members").mkdir(parents=True)
    (folder / "index.html").write_text(printed("html"))
    (folder / "members" / "index.html").write_text("<h1>For members</h1>")
    serve = ["-m", "http.server", str(port), "--bind", "127.0.0.1"]
    network.processes.start(
        "page",
        [sys.executable, *serve, "--directory", folder],
        environment={},
        healthy=listens(port),
    )


def _start_wiki(network: Network, clock: Clock) -> None:
    folder, port = network.directory / "wiki", network.ports[WIKI]
    folder.mkdir()
    (folder / "wiki.py").write_text(printed("python"))
    network.processes.start(
        "wiki",
        [sys.executable, "-m", "flask", "--app", "wiki", "run", "--port", str(port)],
        environment={
            "PYTHONPATH": f"{PACKAGES / 'latchkey-verify'}:{clock.folder}",
            "SSL_CERT_FILE": str(network.ca),
        },
        directory=folder,
        healthy=listens(port),
    )


def _start_board(network: Network, clock: Clock) -> None:
    folder, port = network.directory / "board", network.ports[BOARD]
    modules = folder / "node_modules"
    installed = modules / "@latchkey" / "verify"
    shutil.copytree(PACKAGES / "latchkey-verify-js", installed)
    (modules / "jose").symlink_to(LAB / "node_modules" / "jose")
    (folder / "board.mjs").write_text(printed("js"))
    network.processes.start(
        "board",
        [NODE, folder / "board.mjs"],
        environment={
            "PORT": str(port),
            "NODE_EXTRA_CA_CERTS": str(network.ca),
            "NODE_OPTIONS": clock.node_option,
        },
        healthy=listens(port),
    )
