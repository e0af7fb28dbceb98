"""Imports that wait for the test that needs them.

Each of pytest-xdist's workers imports every test file, and runs a part of the tests.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Late:
    """A module that is imported when one of its names is first used."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        """Return what has this name in the module."""
        return getattr(import_module(self._module), name)
