"""What `doctor` looks at, from the parts of this deployment."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.atproto.http.client import SafeHTTP
from app.config import VERSION, Address, Settings, keep_development_key
from app.doctor import connections
from app.doctor.deployment import Deployment, Files, Grpc
from app.doctor.examination import Doctor
from app.doctor.probe import ProbeKey
from app.factory.container import Parts, network_policy
from app.factory.stores import VAR
from app.stores.rates.rate_limits import LimitsCounters
from app.stores.sql.health import DatabaseHealth, require_space

from .keys import algorithms_of
from .secrets import open_secrets

MOUNTS = Path("/proc/self/mounts")
DEFAULT_RPC_BIND = Settings.model_fields["rpc_bind"].default


def open_doctor(parts: Parts) -> Doctor:
    """Return the examination; nothing is opened before it runs."""
    return Doctor(deployment=partial(deployment_of, parts))


def deployment_of(parts: Parts) -> Deployment:
    """Return what the checks look at."""
    settings, stores, outside = parts.settings, parts.stores, parts.outside
    bundle = str(settings.ca_bundle) if settings.ca_bundle else None
    return Deployment(
        version=VERSION,
        public_url=settings.public_url,
        host=settings.host,
        is_loopback=settings.is_loopback_development,
        is_lab=settings.lab_network,
        client_id=settings.client_id,
        client_document=partial(parts.client_document, settings.client_metadata_path),
        cookie_domain=settings.cookie_domain,
        trusted_proxies=settings.trusted_proxies,
        return_hosts=settings.return_hosts,
        plc_url=settings.plc_url,
        signup_hosts=settings.signup_hosts,
        warnings=settings.warnings,
        http=outside.http,
        own_http=outside.own_http or _own_http(settings, bundle),
        txt=outside.txt,
        addresses=connections.addresses_of,
        certificate_end=partial(connections.certificate_end, ca_bundle=bundle),
        local_url=_local_url(settings),
        probe=probe_key(settings),
        clock=outside.clock,
        monotonic=time.monotonic,
        database=DatabaseHealth(database=stores.database, clock=outside.clock),
        require_schema=stores.database.require_schema,
        keys=stores.keys,
        rings=algorithms_of(settings),
        sealed_under_lost_keys=partial(_lost_rows, parts),
        files=_files(parts),
        rate_limits=_rate_limits(settings, outside.clock),
        grpc=_grpc(settings),
        runs=stores.runs,
    )


def probe_key(settings: Settings) -> ProbeKey:
    """Return the key that signs and verifies doctor's probes."""
    return ProbeKey(settings.secret_key or keep_development_key(VAR))


def _own_http(settings: Settings, bundle: str | None) -> SafeHTTP:
    """Return a door to our own hosts, at any address and port."""
    policy = replace(
        network_policy(settings),
        allow_http=True,
        allow_private=True,
        allow_any_port=True,
        allow_test_names=True,
        denied=(),
    )
    return SafeHTTP(policy=policy, user_agent=settings.user_agent, ca_bundle=bundle)


def _local_url(settings: Settings) -> str | None:
    if not isinstance(settings.bind, Address):
        return None
    host = connections.WILDCARDS.get(settings.bind.host, settings.bind.host)
    return f"http://{Address(host, settings.bind.port)}"


def _lost_rows(parts: Parts) -> int:
    keys = open_secrets(parts).status()
    return sum(each.rows for each in keys if each.setting is None)


def _files(parts: Parts) -> Files:
    settings, database = parts.settings, parts.stores.database.path
    named = (
        *parts.secret_files,
        *(
            path
            for path in (
                settings.signing_key_path,
                settings.client_jwk_path,
                settings.rpc_tls_key,
            )
            if path is not None
        ),
    )
    logs = [Path(f"{database}{suffix}") for suffix in ("", "-wal", "-shm")]
    return Files(
        database=database,
        private=(*named, *(logs if database else ())),
        directories=tuple(
            dict.fromkeys(
                [
                    *([database.parent] if database else []),
                    Path(tempfile.gettempdir()),
                ]
            )
        ),
        kind_of=file_system_of,
        require_space=require_space,
    )


def file_system_of(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the kind of file system that a path is on, or "" where that is unknown."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    where = path.resolve()
    fields = [line.split() for line in lines]
    fitting = [
        (len(each[1]), each[2])
        for each in fields
        if len(each) > 2 and where.is_relative_to(each[1].replace("\\040", " "))
    ]
    return max(fitting, default=(0, ""))[1]


def _rate_limits(
    settings: Settings, clock: Callable[[], float]
) -> Callable[[], None] | None:
    if settings.rate_limit_storage.startswith("memory://"):
        return None
    return LimitsCounters(settings.rate_limit_storage, clock).ping


def _grpc(settings: Settings) -> Grpc:
    certificate = settings.rpc_tls_certificate
    bind = str(settings.rpc_bind)
    end: Callable[[], float] | None = None
    if certificate is not None:
        end = partial(connections.file_end, certificate)
    return Grpc(
        bind=bind,
        is_expected=certificate is not None or bind != DEFAULT_RPC_BIND,
        answer=partial(
            connections.require_http2, bind, secured=certificate is not None
        ),
        certificate_end=end,
    )
