"""A store in a private file, which only its owner may read (`private_file.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import SessionStoreFailed
from .private_file import FileUnusable, PrivateFile
from .store import RENEWING, StateStore


class FileStore(StateStore):
    """One text in a file of mode 0600, in a directory that is made with mode 0700."""

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        """Name the file; nothing is created before something is stored.

        `patience` is the seconds to wait for another process's lock.
        """
        self.path = path
        self._file = PrivateFile(path, patience=patience)
        # Its lock alone is used: the file's own is held for milliseconds.
        turn = path.with_name(f"{path.name}.renewal")
        self._turn = PrivateFile(turn, patience=RENEWING)

    def read(self) -> str | None:
        with _translated():
            return self._file.read()

    def exchange(self, change: Callable[[str | None], str | None]) -> None:
        """Replace the text; an unchanged one is not written."""
        with _translated():
            self._file.exchange(change)

    def remove(self, also: Callable[[], None] = lambda: None) -> None:
        """Remove the file, even one that `read` refuses; run `also` under the lock."""
        with _translated():
            self._file.remove(also)

    def version(self) -> tuple[int, int, int]:
        return self._file.version()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the one turn to renew the session; the kernel frees it after a crash."""
        with ExitStack() as turn:
            with _translated():
                turn.enter_context(self._turn.locked())
            yield


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileUnusable as error:
        raise SessionStoreFailed(str(error)) from error
