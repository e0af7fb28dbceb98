"""Fixtures of the native client's tests: a service, an app, a second thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from app.native import AuthManager, Backoff, HttpTransport, MemoryStore
from tests.native.fake_server import FakeServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST = 60.0

QUICK = Backoff(first=0.01, longest=0.05)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def open_app(store: MemoryStore) -> Callable[..., AuthManager]:
    """Return a function that opens the app; each call stands for another process."""

    def open_one(**parts: Any) -> AuthManager:
        kept = parts.pop("store", store)
        transport = parts.pop("transport", HttpTransport())
        return AuthManager(kept, transport=transport, backoff=QUICK, **parts)

    return open_one


@pytest.fixture
def auth(open_app: Callable[..., AuthManager]) -> AuthManager:
    return open_app()


class Later:
    """A call in a second thread, and its result."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Any:
        self._thread.join(LONGEST)
        assert not self._thread.is_alive(), "the call does not end"
        if self._error is not None:
            raise self._error
        return self._result

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 # raised by `result`
            self._error = error


@pytest.fixture
def later() -> Iterator[Callable[[Callable[[], Any]], Later]]:
    """Return a function that runs a call beside the test and checks that it ends."""
    running: list[Later] = []

    def begin(call: Callable[[], Any]) -> Later:
        running.append(Later(call))
        return running[-1]

    yield begin
    for one in running:
        one._thread.join(LONGEST)
        assert not one.is_running
