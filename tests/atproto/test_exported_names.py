"""The public names of `app.atproto` and `app.atproto.aio`, and the former ones."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

import app.atproto
import app.atproto.aio
from app.atproto import errors

PACKAGES = pytest.mark.parametrize(
    "package", [app.atproto, app.atproto.aio], ids=lambda package: package.__name__
)


@PACKAGES
def test_public_names_are_exactly_the_listed_ones(package: ModuleType) -> None:
    there = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and name not in {"annotations", "Any", "Final"}
    }

    assert sorted(package.__all__) == sorted(there)


def test_asynchronous_client_has_the_names_that_its_page_promises() -> None:
    assert sorted(app.atproto.aio.__all__) == [
        "AsyncCache",
        "AsyncLiveSession",
        "AsyncOAuthClient",
        "AsyncSessionStore",
        "AsyncStateStore",
        "THREADS",
        "open_async_client",
    ]
    methods = {"authorize", "callback", "restore", "refresh", "revoke"}
    assert methods <= set(dir(app.atproto.aio.AsyncOAuthClient))


@pytest.mark.parametrize(
    ("plain", "asynchronous", "methods"),
    [
        (
            app.atproto.OAuthClient,
            app.atproto.aio.AsyncOAuthClient,
            ["authorize", "callback", "restore", "refresh", "revoke"],
        ),
        (
            app.atproto.LiveSession,
            app.atproto.aio.AsyncLiveSession,
            ["request", "refresh"],
        ),
        (
            app.atproto.StateStore,
            app.atproto.aio.AsyncStateStore,
            ["put", "get", "take"],
        ),
        (
            app.atproto.SessionStore,
            app.atproto.aio.AsyncSessionStore,
            ["put", "get", "delete", "lease", "replace", "release"],
        ),
        (app.atproto.Cache, app.atproto.aio.AsyncCache, ["get", "put", "delete"]),
    ],
)
def test_asynchronous_methods_take_what_the_plain_ones_take(
    plain: type, asynchronous: type, methods: list[str]
) -> None:
    for name in methods:
        awaited = getattr(asynchronous, name)
        assert inspect.iscoroutinefunction(awaited)
        assert list(inspect.signature(awaited).parameters) == list(
            inspect.signature(getattr(plain, name)).parameters
        )


def test_open_async_client_takes_what_open_client_takes_and_threads() -> None:
    plain = inspect.signature(app.atproto.open_client).parameters
    asynchronous = inspect.signature(app.atproto.aio.open_async_client).parameters

    assert list(asynchronous) == [*plain, "threads"]


def test_every_error_class_is_a_public_name() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }

    assert classes <= set(app.atproto.__all__)


@PACKAGES
def test_every_public_class_and_function_has_a_docstring(package: ModuleType) -> None:
    silent = [
        name
        for name in package.__all__
        if inspect.isroutine(value := getattr(package, name)) or inspect.isclass(value)
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
