"""Every store has all methods of the port that it names; else one would return None."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import app.stores


def stores() -> list[type]:
    """Return the classes of `app.stores` that are derived from a protocol."""
    found = []
    for module in pkgutil.walk_packages(app.stores.__path__, "app.stores."):
        if ".migrations." not in module.name:
            for one in vars(importlib.import_module(module.name)).values():
                if isinstance(one, type) and one.__module__ == module.name:
                    found += [one] if ports_of(one) else []
    return found


def ports_of(store: type) -> list[type]:
    is_own = not getattr(store, "_is_protocol", False)
    return [
        one
        for one in store.__mro__[1:]
        if is_own and getattr(one, "_is_protocol", False)
    ]


@pytest.mark.parametrize("store", stores(), ids=lambda store: store.__name__)
def test_store_has_every_method_of_its_port(store: type) -> None:
    ports = ports_of(store)
    own = {name for one in store.__mro__ if one not in ports for name in vars(one)}

    asked = {
        name
        for port in ports
        for name, value in vars(port).items()
        if callable(value) and not name.startswith("_")
    }
    assert asked <= own
