"""The use cases of the secrets at rest, for the operator's commands."""

from __future__ import annotations

from app.config import Settings
from app.factory.container import Parts
from app.flows.storage.secrets import ResealSecrets, SecretsStatus


def open_secrets(parts: Parts) -> ResealSecrets:
    """Return the use case that encrypts rows again, with its status."""
    rows = parts.stores.encrypted_rows
    names = dict(zip(rows.fingerprints, _settings_of(parts.settings), strict=False))
    return ResealSecrets(
        encrypted=rows,
        status=SecretsStatus(encrypted=rows, settings=names),
        audit=parts.stores.audit,
        clock=parts.outside.clock,
    )


def _settings_of(settings: Settings) -> list[str]:
    """Return where each key is set, the current one first."""
    current = "LATCHKEY_SECRET_KEY"
    if settings.secret_key is None:
        current = "the development key under var/"
    count = len(settings.secret_key_fallbacks)
    numbers = range(1, count + 1)
    return [current, *(f"LATCHKEY_SECRET_KEY_FALLBACKS, number {n}" for n in numbers)]
