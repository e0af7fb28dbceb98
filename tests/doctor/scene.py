"""A deployment behind a proxy on the fake network, whole until a test breaks it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from app.doctor.examination import Doctor
from app.factory.container import open_parts
from app.factory.operator.doctor import deployment_of
from tests.fakes.world import PLC
from tests.service import outside_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from app.doctor.deployment import Deployment
    from app.doctor.findings import Checked
    from tests.fakes.world import World
    from tests.service import Service

HOST = "auth.platform.cafe"
SIBLING = "play.elsewhere.cafe"
PUBLIC = "93.184.216.34"
DAY = 86_400.0


class Proxy:
    """A proxy that adds the address of its client to X-Forwarded-For."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        hops = [environ.get("HTTP_X_FORWARDED_FOR", ""), environ["REMOTE_ADDR"]]
        environ["HTTP_X_FORWARDED_FOR"] = ", ".join(filter(None, hops))
        environ["REMOTE_ADDR"] = "127.0.0.1"
        return self.app(environ, start_response)


class Dated:
    """A host whose answers carry a Date."""

    def __init__(self, app: Any, clock: Callable[[], float]) -> None:
        self.app = app
        self.clock = clock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def dated(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            date = ("Date", formatdate(self.clock(), usegmt=True))
            return start_response(status, [*headers, date], *rest)

        return self.app(environ, dated)


@dataclass
class Scene:
    """One deployment, and what the doctor sees of it."""

    service: Service
    world: World
    deployment: Deployment
    database: Path

    def changed(self, **changes: Any) -> None:
        """Replace values of the deployment."""
        self.deployment = replace(self.deployment, **changes)

    def files(self, **changes: Any) -> None:
        self.changed(files=replace(self.deployment.files, **changes))

    def grpc(self, **changes: Any) -> None:
        self.changed(grpc=replace(self.deployment.grpc, **changes))

    def examine(
        self, *, offline: bool = False, only: str | None = None
    ) -> Sequence[Checked]:
        doctor = Doctor(deployment=lambda: self.deployment)
        if only is not None:
            doctor = replace(doctor, checks={only: doctor.checks[only]})
        return doctor.examine(offline=offline)


def open_scene(service: Service, world: World, database: Path) -> Scene:
    """Serve the deployment, its sibling and its directory; note sweep and backup."""
    network, clock = world.network, world.clock
    network.serve(HOST, Proxy(service.app))
    network.serve("127.0.0.1:8000", service.app)
    network.serve(SIBLING, world.home("rosies.garden"))
    network.serve(PLC, Dated(world.plc, clock))
    network.serve("as.skyhost.social", Dated(world.skyhost.server, clock))
    parts = open_parts(service.settings, outside_of(world, service.settings))
    deployment = deployment_of(parts)
    now = clock()
    deployment.runs.note("sweep", now - 300)
    deployment.runs.note("backup", now - 3600)
    scene = Scene(service, world, deployment, database)
    scene.changed(
        monotonic=clock.monotonic,
        addresses=lambda _host: [PUBLIC],
        certificate_end=lambda _host: now + 60 * DAY,
        rate_limits=lambda: None,
    )
    scene.files(kind_of=lambda _path: "ext4")
    scene.grpc(
        is_expected=True, answer=lambda: None, certificate_end=lambda: now + 60 * DAY
    )
    return scene
