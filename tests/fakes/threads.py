"""A system that has no thread left, as with a limit of processes (`pids.max`)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

TOO_LARGE: Final = 1 << 50
"""Bytes of a stack beyond all addresses: each start of a thread raises RuntimeError."""


@contextmanager
def no_new_threads() -> Iterator[None]:
    """Let no thread be started inside the block."""
    before = threading.stack_size(TOO_LARGE)
    try:
        yield
    finally:
        threading.stack_size(before)
