"""Settings of the service, read from the environment and checked once.

`variables` declares each setting, `types` and `addresses` parse their text, `settings`
reads the environment, `rules` checks the settings together, `derived` has what follows
from them, `docs` writes the reference. Only the factory imports this package.
"""

from __future__ import annotations

from .addresses import Address, is_host_of, is_public_suffix
from .derived import VERSION
from .development_key import keep_development_key
from .rules import Problem, SettingsInvalid
from .settings import Settings, secret_files

__all__ = [
    "VERSION",
    "Address",
    "Problem",
    "Settings",
    "SettingsInvalid",
    "is_host_of",
    "is_public_suffix",
    "keep_development_key",
    "secret_files",
]
