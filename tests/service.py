"""The whole application on the fake network, with a database and keys of its own."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Hashable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from app.atproto.http.client import SafeHTTP
from app.atproto.http.url_policy import NetworkPolicy
from app.config import Settings
from app.factory.container import Outside, open_parts
from app.factory.web import create_app, install, open_flask
from app.telemetry.context import ACCESS
from tests.fakes.browser import Browser
from tests.fakes.clock import NOON
from tests.fakes.keys import RSA
from tests.openapi.answers import Answers
from tests.signed import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask

    from app.atproto.client import OAuthClient
    from app.stores.sql.database import Database
    from tests.fakes.network import Answer
    from tests.fakes.world import World

HOME = "https://auth.platform.cafe"
LOOPBACK = "http://127.0.0.1:8000"
SECRET_KEY = bytes(range(32))

MEMORY = Path("/dev/shm")  # noqa: S108 # a file system, where there is one
ROOM = 256 * 1024 * 1024

_closed: list[Flask] = []
"""Applications without parts: routes and templates are most of opening a service."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is made once for all tests: keys, and databases that hold them.

    Reading an RSA key costs as much as a whole login, so the services of most tests
    sign with ES256; those that are about tokens or secrets take RS256, as platforms do.
    """

    platform_key: Path
    client_key: Path
    databases: Mapping[str, Path]
    """By the algorithm of the platform's key."""


def prepare(folder: Path) -> Prepared:
    """Write the keys and run `init` on a database for each algorithm."""
    prepared = Prepared(
        platform_key=folder / "platform.pem",
        client_key=folder / "client.jwk",
        databases={alg: folder / f"{alg}.db" for alg in ("ES256", "RS256")},
    )
    prepared.platform_key.write_text(RSA["first"])
    jwk = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    prepared.client_key.write_text(json.dumps({**jwk, "kid": "client-of-the-tests"}))
    prepared.client_key.chmod(0o600)
    _initialise(prepared, "ES256")
    _initialise(prepared, "RS256", signing_key_path=prepared.platform_key)
    return prepared


def _initialise(prepared: Prepared, algorithm: str, **changes: Any) -> None:
    settings = {**production(prepared.databases[algorithm]), **changes}
    settings |= {
        "token_algorithm": algorithm,
        "client_jwk_path": prepared.client_key,
    }
    app = create_app(Settings(**settings))
    result = app.test_cli_runner().invoke(args=["init"])
    assert result.exit_code == 0, result.output
    close(app)
    with closing(sqlite3.connect(prepared.databases[algorithm])) as connection:
        # The keys are as old as a world is: `init` has looked at the real clock.
        connection.execute(
            "UPDATE signing_keys SET created_at = ?, activated_at = ?", [NOON, NOON]
        )
        connection.commit()


def production(database: Path) -> dict[str, Any]:
    """Return the settings of a platform on a domain of its own."""
    return {
        "public_url": HOME,
        "platform_name": "The Platform",
        "cookie_domain": "platform.cafe",
        "return_hosts": ("play.elsewhere.cafe",),
        "signup_hosts": ("https://as.skyhost.social",),
        "secret_key": SECRET_KEY,
        "token_algorithm": "ES256",
        "database_url": f"sqlite:///{database}",
        "rate_limit_login_per_address": "1000/minute",
        "rate_limit_login_per_host": "1000/minute",
    }


def development(database: Path) -> dict[str, Any]:
    """Return the settings of loopback development."""
    shared = production(database)
    kept = ("secret_key", "token_algorithm", "database_url", "signup_hosts")
    return {name: shared[name] for name in kept}


_checked: dict[frozenset[tuple[str, Any]], Settings] = {}


def settings_of(values: dict[str, Any]) -> Settings:
    """Return settings; equal ones are checked once, apart from their SQLite file."""
    url = values["database_url"]
    others = {**values, "database_url": ""}
    if not url.startswith("sqlite:///") or any(map(_may_change, others.values())):
        return Settings(**values)
    key = frozenset(others.items())
    if key not in _checked:
        _checked[key] = Settings(**values)
    return _checked[key].model_copy(update={"database_url": url})


def _may_change(value: object) -> bool:
    """Tell whether a setting is the path of a file, or can be changed itself."""
    return str(value).startswith("/") or not isinstance(value, Hashable)


class Service:
    """A running Latchkey: its application, its place on the network, its browsers."""

    def __init__(
        self, world: World, settings: Settings, *, outside: Outside | None = None
    ) -> None:
        self.world = world
        self.settings = settings
        self.home = settings.public_url
        parts = open_parts(settings, outside or outside_of(world, settings))
        self.app = install(_closed.pop() if _closed else open_flask(), parts)
        self.answers = Answers(self.app)
        self.steps = Steps(self)
        world.network.serve(self.home.partition("//")[2], self.app)

    @property
    def client(self) -> OAuthClient:
        """The OAuth client of this service, over its own stores."""
        return self.app.extensions["latchkey"].flows.finish_login.client

    def browser(self, **options: Any) -> Browser:
        """Open a browser without cookies."""
        return Browser(self.world, self.home, **options)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Look into (or change) the database behind the application's back."""
        path = self.settings.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            found = connection.execute(statement, values).fetchall()
            connection.commit()
        return found

    def breaks(self, table: str) -> None:
        """Make new rows of a table a fault of ours, which no outage explains."""
        self.rows(
            f"CREATE TRIGGER broken BEFORE INSERT ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'of {table}'); END"
        )

    def get(self, path: str, **headers: str) -> Answer:
        """Ask as a program does: no cookies, no browser headers."""
        browser = self.browser(fetch_metadata=False)
        return browser.requests(
            "GET", self.home + path, accept="application/json", headers=headers
        )


def outside_of(world: World, settings: Settings) -> Outside:
    """Return what a world is to a service."""
    http, own_http = (
        SafeHTTP(
            policy=policy,
            user_agent=settings.user_agent,
            adapter=world.network,
            monotonic=world.clock.monotonic,
        )
        for policy in (NetworkPolicy(), NetworkPolicy.lab())
    )
    return Outside(
        http=http,
        own_http=own_http,
        txt=world.dns,
        clock=world.clock,
        start=lambda work: work(),
    )


@contextmanager
def scratch(otherwise: Callable[[], Path]) -> Iterator[Path]:
    """Lend a folder for databases, in memory if possible: commits wait for disks."""
    is_there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    if not is_there or shutil.disk_usage(MEMORY).free < ROOM:
        yield otherwise()
        return
    with tempfile.TemporaryDirectory(prefix="latchkey-", dir=MEMORY) as folder:
        yield Path(folder)


@contextmanager
def opening(
    world: World, prepared: Prepared, otherwise: Callable[[], Path]
) -> Iterator[Callable[..., Service]]:
    """Lend a function that opens services with other settings than usual."""
    opened: list[Service] = []

    def open_one(*, loopback: bool = False, **changes: Any) -> Service:
        algorithm = changes.get("token_algorithm", "ES256")
        database = copied(prepared, folder, algorithm=algorithm)
        usual = (development if loopback else production)(database)
        opened.append(Service(world, settings_of({**usual, **changes})))
        return opened[-1]

    with scratch(otherwise) as folder:
        yield open_one
        for service in opened:
            close(service.app)
    undocumented = {line for one in opened for line in one.answers.undocumented}
    assert not undocumented, f"add to docs/openapi.yaml: {sorted(undocumented)}"


def copied(prepared: Prepared, folder: Path, *, algorithm: str = "ES256") -> Path:
    """Return a database of one's own, as `init` leaves it."""
    database = prepared.databases.get(algorithm, prepared.databases["ES256"])
    copy = folder / "latchkey.db"
    shutil.copy(database, copy)
    return copy


def database_of(app: Flask) -> Database:
    """Return the database behind the stores of an application."""
    readiness = app.extensions["latchkey"].documents.readiness
    return readiness.checks["database"].__self__.database


def close(app: Flask) -> None:
    """Close what the application keeps open, and keep it for the next service."""
    database_of(app).close()
    logging.getLogger(ACCESS).disabled = False  # LOG_ACCESS=off is the process's
    root = logging.getLogger()
    for handler in [one for one in root.handlers if one.name == "latchkey"]:
        root.removeHandler(handler)
    vars(app).pop("wsgi_app")  # the layer of `install`
    _closed.append(app)
