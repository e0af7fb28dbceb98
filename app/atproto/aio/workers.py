"""Worker threads of the asynchronous client: a bounded pool behind anyio.

The plain client runs in them, so that each rule of the protocol exists once. A call
that is cancelled returns at once, and its thread works on: a refresh token that was
sent is replaced in the store, and no lease stays behind. The pool counts such a thread
until it ends, so that `threads` is a bound in every case. One thread computes at a time
(`http/turns.py`), so that the event loop does not wait for many of them.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from contextvars import copy_context
from functools import partial
from typing import Final, Generic, TypeVar

from ..errors import ClientBusy
from ..http.turns import Turns
from ..http.types import Deadline

try:
    import anyio
    from anyio import from_thread, to_thread
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.msg}: the asynchronous client needs the package `anyio`,"
        " as in `pip install 'latchkey-atproto[aio]'`",
        name=error.name,
    ) from error

T = TypeVar("T")

THREADS: Final = 256
"""Calls at once of one client. A thread that waits takes about 60 KB."""

STORE_PATIENCE: Final = 30.0
"""Seconds that one call of an asynchronous store may take."""


TURNS: Final = Turns()
"""Of all pools of this process, because they share one interpreter with the loop."""


class _Call(Generic[T]):
    """One call in the pool, and what its task and its thread know of it."""

    def __init__(
        self, work: Callable[[], T], unclaimed: Callable[[T], object] | None
    ) -> None:
        self._work = work
        self._unclaimed = unclaimed
        self._lock = threading.Lock()
        self._outcome: Future[T] = Future()
        self._is_abandoned = False
        self.done = anyio.Event()

    @property
    def has_begun(self) -> bool:
        """Tell whether a thread does the work, or has done it."""
        return self._outcome.running() or self._outcome.done()

    def run(self, tell: Callable[[], object]) -> None:
        """Do the work, in a thread; `tell` the task that waits, if it still does."""
        if not self._outcome.set_running_or_notify_cancel():
            return
        try:
            with TURNS.taken():
                value = self._work()
        except BaseException as error:  # noqa: BLE001 # raised in the task that waits
            outcome = partial(self._outcome.set_exception, error)
        else:
            outcome = partial(self._outcome.set_result, value)
        with self._lock:
            outcome()
            is_claimed = not self._is_abandoned
        if is_claimed:
            tell()
        else:
            self.discard()

    def withdraw(self) -> bool:
        """Tell whether the work will never begin."""
        return self._outcome.cancel()

    def abandon(self) -> bool:
        """Leave the work to its thread; tell whether that has ended already."""
        with self._lock:
            self._is_abandoned = True
            return self._outcome.done() and not self._outcome.cancelled()

    def discard(self) -> None:
        """Give a value that no task has received to `unclaimed`, in a thread."""
        if self._unclaimed is not None and self._outcome.exception() is None:
            self._unclaimed(self._outcome.result())

    def result(self) -> T:
        """Return the value, or raise what the work raised."""
        return self._outcome.result()


class Workers:
    """The pool; opened once, in the event loop that uses it."""

    def __init__(self, *, threads: int = THREADS) -> None:
        if threads < 1:
            raise ValueError("a pool has one thread at least")
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="atproto-aio")
        # Starting a thread waits for it, which is not for the event loop to do.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="atproto-aio-start")
        self._stack = AsyncExitStack()
        self._door: anyio.Lock | None = None
        self._calls = 0
        self._is_closing = False

    async def open(self) -> None:
        """Open the pool.

        Raises:
            RuntimeError: it was opened before.
        """
        if self._door is not None:
            raise RuntimeError("an asynchronous client is opened once")
        self._door = anyio.Lock()
        self._are_over = anyio.Event()
        self._scope = self._stack.enter_context(anyio.CancelScope())
        self._portal = await self._stack.enter_async_context(
            from_thread.BlockingPortal()
        )

    async def close(self, finish: Callable[[], object]) -> None:
        """Wait for the calls that run, each until its deadline, and for `finish`."""
        self._scope.shield = True
        self._is_closing = True
        if self._calls:  # one that is cancelled at its end may need a thread once more
            await self._are_over.wait()
        await to_thread.run_sync(self._end)
        await to_thread.run_sync(finish)
        await self._stack.aclose()

    async def run(
        self,
        work: Callable[[], T],
        *,
        deadline: Deadline | None = None,
        unclaimed: Callable[[T], object] | None = None,
    ) -> T:
        """Do blocking work in a thread; return its value, or raise what it raises.

        When the task is cancelled, work that waits for a thread never begins, and work
        that runs goes on without the task. `unclaimed` is called in a thread with a
        value that its task has not received.

        Raises:
            ClientBusy: no thread was free before the deadline.
            RuntimeError: the client is not open.
        """
        if self._door is None or self._is_closing:
            raise RuntimeError("open the client first: `async with client:`")
        self._calls += 1
        try:
            return await self._outcome(_Call(work, unclaimed), self._door, deadline)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._calls -= 1
        if self._is_closing and not self._calls:
            self._are_over.set()

    async def _outcome(
        self, call: _Call[T], door: anyio.Lock, deadline: Deadline | None
    ) -> T:
        async with door:  # one in each turn of the event loop
            self._submit(partial(call.run, partial(self._tell, call.done)))
        try:
            await _begun_or_over(call, deadline)
            await call.done.wait()
        except anyio.get_cancelled_exc_class():
            if not call.withdraw() and call.abandon():
                self._submit(call.discard)
            raise
        return call.result()

    def wait_for(self, awaitable: Awaitable[T]) -> T:
        """Await in the event loop, for a thread; cancellation does not reach it.

        Raises:
            TimeoutError: it took longer than STORE_PATIENCE.
        """
        future = self._portal.start_task_soon(_shielded, awaitable)
        return future.result(2 * STORE_PATIENCE)  # a loop that has ended answers never

    def _submit(self, job: Callable[[], object]) -> None:
        in_context = partial(copy_context().run, job)
        self._starter.submit(partial(self._threads.submit, in_context))

    def _tell(self, done: anyio.Event) -> None:
        self._portal.start_task_soon(done.set)

    def _end(self) -> None:
        self._starter.shutdown()
        self._threads.shutdown()


async def _begun_or_over(call: _Call[T], deadline: Deadline | None) -> None:
    """Wait until the call ends or its deadline passes; raise if it has not begun."""
    if deadline is None:
        return
    with anyio.move_on_after(max(deadline.remaining(), 0.0)):
        await call.done.wait()
    if not call.has_begun and call.withdraw():
        raise ClientBusy("calls")


async def _shielded(awaitable: Awaitable[T]) -> T:
    with anyio.fail_after(STORE_PATIENCE, shield=True):
        value = await awaitable
    return value  # noqa: RET504 # for mypy, a scope may end its block early
