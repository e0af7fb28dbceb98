"""The operator's decisions: `Settings`, read from the environment and checked once.

`variables` declares each, `values` and `addresses` parse them, `environment` finds
them, `rules` judges them together, `derived` draws the consequences, `reference` writes
them down. Only the factory imports this package.
"""

from __future__ import annotations

from .addresses import Address
from .derived import VERSION
from .development_key import keep_development_key
from .problems import Problem, SettingsInvalid
from .settings import Settings

__all__ = [
    "VERSION",
    "Address",
    "Problem",
    "Settings",
    "SettingsInvalid",
    "keep_development_key",
]
