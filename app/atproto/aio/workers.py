"""Worker threads of the asynchronous client: a bounded pool behind anyio.

The plain client runs in them, so that each rule of the protocol exists once. A call
that is cancelled returns at once, and its thread works on: a refresh token that was
sent is replaced in the store, and no lease stays behind. The pool counts such a thread
until it ends, so that `threads` is a bound in every case.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Generic, TypeVar

try:
    import anyio
    from anyio import from_thread, to_thread
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.msg}: the asynchronous client needs the package `anyio`,"
        " as in `pip install 'latchkey-atproto[aio]'`",
        name=error.name,
    ) from error

from ..errors import ClientBusy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from ..http.types import Deadline

T = TypeVar("T")

THREADS: Final = 256
"""Calls at once of one client. A thread that waits takes about 60 KB."""

STORE_PATIENCE: Final = 30.0
"""Seconds that one call of an asynchronous store may take."""


class _Call(Generic[T]):
    """One call in the pool, and what its task and its thread know of it."""

    def __init__(
        self, work: Callable[[], T], unclaimed: Callable[[T], object] | None
    ) -> None:
        self.work = work
        self.unclaimed = unclaimed
        self.done = anyio.Event()
        self.scope = anyio.CancelScope(shield=True)
        self.has_begun = False
        self.is_abandoned = False
        self.error: Exception | None = None
        self.values: list[T] = []
        """The value, when the work has returned one."""

    def run(self) -> T:
        """Do the work, in a thread."""
        self.has_begun = True
        return self.work()

    def result(self) -> T:
        """Return the value, or raise what the work raised."""
        if self.error is not None:
            raise self.error
        return self.values[0]


class Workers:
    """The pool; entered once, in the event loop that uses it."""

    def __init__(self, *, threads: int = THREADS) -> None:
        if threads < 1:
            raise ValueError("a pool has one thread at least")
        self._threads = threads
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None

    async def open(self, finish: Callable[[], object]) -> None:
        """Open the pool; `finish` is called in a thread when all calls have ended.

        Raises:
            RuntimeError: it was opened before.
        """
        if self._tasks is not None:
            raise RuntimeError("an asynchronous client is opened once")
        self._limiter = anyio.CapacityLimiter(self._threads)
        enter = self._stack.enter_async_context
        self._scope = self._stack.enter_context(anyio.CancelScope())
        self._portal = await enter(from_thread.BlockingPortal())
        self._stack.push_async_callback(to_thread.run_sync, finish)
        self._tasks = await enter(anyio.create_task_group())

    async def close(self) -> None:
        """Wait for the calls that run, each until its deadline, and close the pool."""
        self._scope.shield = True
        await self._stack.aclose()

    @property
    def running(self) -> int:
        """Return how many threads work."""
        return self._limiter.borrowed_tokens

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
        if self._tasks is None:
            raise RuntimeError("open the client first: `async with client:`")
        call = _Call(work, unclaimed)
        self._tasks.start_soon(self._carry_out, call)
        try:
            await _begun_or_over(call, deadline)
            await call.done.wait()
        except anyio.get_cancelled_exc_class():
            call.is_abandoned = True
            call.scope.cancel()
            if call.done.is_set():
                self._tasks.start_soon(self._discard, call)
            raise
        return call.result()

    def wait_for(self, awaitable: Awaitable[T]) -> T:
        """Await in the event loop, for a thread; cancellation does not reach it.

        Raises:
            TimeoutError: it took longer than STORE_PATIENCE.
        """
        future = self._portal.start_task_soon(_shielded, awaitable)
        try:
            return future.result(STORE_PATIENCE)
        except TimeoutError:
            future.cancel()
            raise

    async def _carry_out(self, call: _Call[T]) -> None:
        """Run a call to its end, also when the task that waits for it is cancelled."""
        with call.scope:
            try:
                value = await to_thread.run_sync(call.run, limiter=self._limiter)
                call.values.append(value)
            except Exception as error:  # noqa: BLE001 # raised in the task that waits
                call.error = error
        call.done.set()
        if call.is_abandoned:
            await self._discard(call)

    async def _discard(self, call: _Call[T]) -> None:
        if call.unclaimed is None or not call.values:
            return
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(call.unclaimed, call.values[0])


async def _begun_or_over(call: _Call[T], deadline: Deadline | None) -> None:
    """Wait until the call ends or its deadline passes; raise if it has not begun."""
    if deadline is None:
        return
    with anyio.move_on_after(max(deadline.remaining(), 0.0)):
        await call.done.wait()
    if not call.has_begun:
        call.scope.cancel()
        await call.done.wait()
    if not call.has_begun:
        raise ClientBusy("calls")


async def _shielded(awaitable: Awaitable[T]) -> T:
    with anyio.CancelScope(shield=True):
        value = await awaitable
    return value  # noqa: RET504 # for mypy, a scope may end its block early
