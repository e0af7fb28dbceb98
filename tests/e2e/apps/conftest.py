"""The apps: installed while other tests run, registered and started once each."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.laboratory import Laboratory
from tests.lab.network import APPS
from tests.lab.processes import Processes
from tests.proxies import backend
from tests.stores.cluster import postgresql

from .apache import Apache
from .jupyterhub import Jupyterhub
from .miniflux import Miniflux
from .oauth2_proxy import Oauth2Proxy
from .place import HERE, App, Place
from .relying import Authlib, GoOidc, OpenidClient
from .running import Running, register

INSTALL_WITHIN = 900
"""Seconds, from the end of the collection."""

_installing = pytest.StashKey[subprocess.Popen[str]]()


def _are_ours(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if HERE in item.path.parents]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests last: what they need is installed meanwhile."""
    ours = _are_ours(items)
    items[:] = [item for item in items if item not in set(ours)] + ours


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to install, with less right to the CPU than the tests have."""
    if session.config.option.collectonly or not _are_ours(session.items):
        return
    session.config.stash[_installing] = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "nice", "-n", "10", HERE / "install"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="session")
def installed(request: pytest.FixtureRequest) -> None:
    """Wait until everything is installed."""
    process = request.config.stash[_installing]
    said, _ = process.communicate(timeout=INSTALL_WITHIN)
    assert process.returncode == 0, said


@pytest.fixture(scope="session")
def stack() -> Iterator[ExitStack]:
    """What apps need beside them, ended with the session."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def processes(prod_like: Laboratory) -> Iterator[Processes]:
    """The apps, whose logs are their own affair: they write codes into them."""
    with Processes(prod_like.network.directory / "apps" / "logs") as processes:
        yield processes


def _behind_a_proxy(make: type[Oauth2Proxy | Apache], stack: ExitStack) -> App:
    return make(stack.enter_context(backend.serving()))


def _with_a_database(stack: ExitStack) -> App:
    return Miniflux(stack.enter_context(postgresql()))


MAKE: dict[str, Callable[[ExitStack], App]] = {
    OpenidClient.name: lambda _: OpenidClient(),
    Authlib.name: lambda _: Authlib(),
    Oauth2Proxy.name: lambda stack: _behind_a_proxy(Oauth2Proxy, stack),
    Apache.name: lambda stack: _behind_a_proxy(Apache, stack),
    GoOidc.name: lambda _: GoOidc(),
    Miniflux.name: _with_a_database,
    Jupyterhub.name: lambda _: Jupyterhub(),
}
NEED_GO = {Oauth2Proxy.name, GoOidc.name, Miniflux.name}


@pytest.fixture(scope="session", params=MAKE)
def app(
    request: pytest.FixtureRequest,
    prod_like: Laboratory,
    processes: Processes,
    stack: ExitStack,
    installed: None,
) -> Running:
    """One app, configured with what `clients add` printed for its preset."""
    name = request.param
    if name in NEED_GO and not shutil.which("go"):
        pytest.skip("Go is not installed")
    app, network = MAKE[name](stack), prod_like.network
    place = Place(
        name=name,
        url=f"https://{APPS[name]}",
        port=network.ports[APPS[name]],
        folder=_open_folder(stack),
        ca=network.ca,
        processes=processes,
    )
    app.start(place, register(prod_like, app, place.url))
    return Running(app, place, prod_like)


def _open_folder(stack: ExitStack) -> Path:
    """Make a folder that a server may enter that gives up root, as Apache does."""
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="latchkey-app-")))
    folder.chmod(0o755)
    return folder
