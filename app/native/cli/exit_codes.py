"""The exit codes of the command line: scripts rely on them, docs list them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from ..errors import (
    AwaitTimedOut,
    LoginCancelled,
    LoginDenied,
    LoginExpired,
    LoginRefused,
    LoginSuperseded,
    NativeError,
    NotSignedIn,
    ServerUnreachable,
    ServerUrlInvalid,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Exit(IntEnum):
    """The exit codes."""

    DONE = 0
    FAILED = 1
    """On this machine: a store that cannot be used, a missing package."""
    USAGE = 2
    """Also an address that no service may have."""
    DENIED = 3
    EXPIRED = 4
    """The login was not decided in time, the service's or `--timeout`'s."""
    UNREACHABLE = 5
    REFUSED = 6
    NOT_SIGNED_IN = 7
    REPLACED = 8
    """Another sign-in, or a sign-out, came in between."""
    INTERRUPTED = 130
    """Ctrl-C, numbered as by shells."""


MEANINGS: Final[Mapping[type[NativeError], Exit]] = {
    ServerUrlInvalid: Exit.USAGE,
    LoginDenied: Exit.DENIED,
    LoginExpired: Exit.EXPIRED,
    AwaitTimedOut: Exit.EXPIRED,
    ServerUnreachable: Exit.UNREACHABLE,
    LoginRefused: Exit.REFUSED,
    LoginSuperseded: Exit.REPLACED,
    NotSignedIn: Exit.NOT_SIGNED_IN,
    LoginCancelled: Exit.REPLACED,
}


def exit_code(error: NativeError) -> Exit:
    """Return the exit code for an error."""
    known = (MEANINGS[kind] for kind in type(error).__mro__ if kind in MEANINGS)
    return next(known, Exit.FAILED)
