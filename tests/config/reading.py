"""Read settings from an environment; names are given without the prefix."""

from __future__ import annotations

import secrets

import pytest

from app.config import Settings, SettingsInvalid

SECRET_KEY = secrets.token_urlsafe(32)
PRODUCTION = {
    "PUBLIC_URL": "https://auth.platform.internal",
    "SECRET_KEY": SECRET_KEY,
    "TRUSTED_PROXIES": "1",
}
LABORATORY = {**PRODUCTION, "LAB_NETWORK": "on"}


def read(settings: dict[str, str] | None = None, **more: str) -> Settings:
    """Return the settings of an environment that holds these and nothing else."""
    named = {**(settings or {}), **more}
    return Settings.from_environment({f"LATCHKEY_{k}": v for k, v in named.items()})


def refusal(settings: dict[str, str] | None = None, **more: str) -> list[str]:
    """Return the lines with which these settings are refused."""
    with pytest.raises(SettingsInvalid) as caught:
        read(settings, **more)
    return str(caught.value).splitlines()
