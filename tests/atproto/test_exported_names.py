"""What the library promises: the names of `app.atproto`, listed once."""

from __future__ import annotations

import inspect
from types import ModuleType

import app.atproto
from app.atproto import errors


def test_what_is_listed_is_what_there_is() -> None:
    there = {
        name
        for name, value in vars(app.atproto).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and name != "annotations"
    }

    assert sorted(app.atproto.__all__) == sorted(there)


def test_every_error_can_be_caught_by_its_public_name() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }

    assert classes <= set(app.atproto.__all__)


def test_every_public_class_and_function_says_what_it_is() -> None:
    silent = [
        name
        for name in app.atproto.__all__
        if inspect.isroutine(value := getattr(app.atproto, name))
        or inspect.isclass(value)
        if not inspect.getdoc(value)
    ]

    assert not silent
