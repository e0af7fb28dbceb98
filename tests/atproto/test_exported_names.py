"""The public names of `app.atproto`, and the former ones."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

import app.atproto
from app.atproto import errors


def test_public_names_are_exactly_the_listed_ones() -> None:
    there = {
        name
        for name, value in vars(app.atproto).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and name not in {"annotations", "Any", "Final"}
    }

    assert sorted(app.atproto.__all__) == sorted(there)


def test_every_error_class_is_a_public_name() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }

    assert classes <= set(app.atproto.__all__)


def test_every_public_class_and_function_has_a_docstring() -> None:
    silent = [
        name
        for name in app.atproto.__all__
        if inspect.isroutine(value := getattr(app.atproto, name))
        or inspect.isclass(value)
        if not inspect.getdoc(value)
    ]

    assert not silent


@pytest.mark.parametrize(("former", "name"), sorted(app.atproto._RENAMED.items()))
def test_former_public_name_works_with_a_deprecation_warning(
    former: str, name: str
) -> None:
    with pytest.warns(DeprecationWarning, match=name):
        value = getattr(app.atproto, former)

    assert value is getattr(app.atproto, name)


def test_unknown_public_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        app.atproto.Nothing  # noqa: B018
