"""What the operator's commands work with."""

from __future__ import annotations

from functools import partial

from app.commands import Administration
from app.config import Settings
from app.factory.container import Parts
from app.factory.provider.clients import provider_of
from app.flows.sweep import Sweep
from app.stores.sql.versions import CURRENT

from .doctor import open_doctor
from .keys import open_key_use_cases
from .people import people_of
from .secrets import open_secrets
from .storage import storage_work_of


def administration_of(parts: Parts) -> Administration:
    """Return what the operator's commands work with."""
    settings, stores, clock = parts.settings, parts.stores, parts.outside.clock
    keys = open_key_use_cases(parts)
    algorithm = settings.token_algorithm
    cookie_host = settings.cookie_domain or settings.host
    return Administration(
        schema=stores.database,
        needed_schema=CURRENT,
        storage=storage_work_of(parts),
        keys=keys,
        people=people_of(parts),
        provider=provider_of(parts),
        reseal_secrets=open_secrets(parts),
        sweep=Sweep(
            expired=stores.expired,
            lease=stores.sweep_lease,
            note_end=partial(stores.runs.note, "sweep"),
            revoke=lambda did, session_id, deadline: parts.client.revoke(
                did, session_id, deadline=deadline, keep_unanswered=True
            ),
            clock=clock,
            token_lifetime=settings.token_lifetime,
            audit_lifetime=settings.audit_lifetime,
            keep_keys=keys.upkeep,
            observe=parts.observe,
        ),
        # With HS256 the ring has the keys of id_tokens alone, and none is imported.
        signing_key_path=None if settings.jwt_secret else settings.signing_key_path,
        client_jwk_path=settings.client_jwk_path,
        doctor=open_doctor(parts),
        settings_summary=(
            f"public URL: {settings.public_url}",
            f"client_id: {_client_id(settings)}",
            f"redirect URI: {settings.redirect_uri}",
            f"platform cookie: {settings.cookie_name} for {cookie_host}",
            f"platform token: {algorithm} for {settings.token_audience}",
            *(f"warning: {line}" for line in settings.warnings),
            "the settings are good",
        ),
    )


def _client_id(settings: Settings) -> str:
    if settings.is_loopback_development:
        return "http://localhost (loopback development)"
    return settings.client_id
