"""The table of failures: exit code, error code for scripts, and the next step.

docs/cli.md documents the exit codes; they stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from shlex import quote
from typing import Final

from .. import errors
from ..http.types import Response
from ..loopback.listener import AnswerTimeout
from ..records import OAuthSession
from ..stores.private_file import FileUnusable
from ..syntax.grammar import host_of

PROGRAM: Final = (
    "latchkey-atproto"
    if __name__.startswith("latchkey_atproto.")
    else "python -m app.atproto"
)
"""The name of the command, for the next step that a message proposes."""

VERSION: Final = "0.2.0"


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    DENIED = 4
    UNREACHABLE = 5
    SCOPE_MISSING = 6
    SERVER_INVALID = 7
    TIMED_OUT = 8
    NO_ACCOUNT = 9
    REFUSED = 10
    INTERRUPTED = 130


class UsageError(Exception):
    """The command line is not valid."""


class CallRefused(Exception):
    """The host answered a call with an error."""

    def __init__(self, response: Response, *, error: str, message: str) -> None:
        host = host_of(response.url)
        super().__init__(f"{host} answered {response.status} {error}: {message}")
        self.status = response.status
        self.error = error
        self.message = message


class ScopeNeeded(errors.ScopeMissing):
    """A permission is missing; `login` is the command that requests it."""

    def __init__(self, missing: errors.ScopeMissing, session: OAuthSession) -> None:
        super().__init__(missing.host, missing.scope)
        scope = quote(f"{session.scope} {missing.scope}".strip())
        account = session.handle or session.did
        self.login = f"{PROGRAM} login {account} --scope {scope}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure as it is printed."""

    exit: Exit
    error: str
    description: str
    facts: Mapping[str, object] = field(default_factory=dict)


_SIGN_IN = f"Sign in again: {PROGRAM} login HANDLE"
_AGAIN = "Nothing is lost; try again later."
_BEGIN_AGAIN = f"Begin again: {PROGRAM} login HANDLE"
_THEIRS = "This is the host's fault, and neither yours nor ours to mend."

_TABLE: Final[dict[type[BaseException], tuple[Exit, str, str]]] = {
    UsageError: (Exit.USAGE, "invalid_usage", f"See {PROGRAM} --help"),
    errors.IdentifierInvalid: (
        Exit.USAGE,
        "invalid_identifier",
        "A handle looks like alice.example.com",
    ),
    errors.ScopeInvalid: (
        Exit.USAGE,
        "invalid_scope",
        "A scope is words with single spaces between them, and one of them is atproto",
    ),
    errors.ClientMetadataInvalid: (Exit.USAGE, "invalid_client_metadata", ""),
    errors.AtprotoError: (Exit.FAILED, "failed", ""),
    errors.HandleNotFound: (Exit.NO_ACCOUNT, "handle_not_found", "Check its spelling"),
    errors.AccountNotFound: (Exit.NO_ACCOUNT, "account_not_found", ""),
    errors.HandleMismatch: (
        Exit.NO_ACCOUNT,
        "handle_mismatch",
        "Name the account by its DID, or by the handle that it claims",
    ),
    errors.AccountUnavailable: (Exit.NO_ACCOUNT, "account_unavailable", ""),
    errors.ClientBusy: (Exit.UNREACHABLE, "client_busy", _AGAIN),
    errors.HostUnreachable: (Exit.UNREACHABLE, "host_unreachable", _AGAIN),
    errors.RefreshBusy: (Exit.UNREACHABLE, "refresh_busy", _AGAIN),
    errors.HostWithoutOAuth: (
        Exit.SERVER_INVALID,
        "host_without_oauth",
        "It cannot sign anybody in by OAuth",
    ),
    errors.ServerInvalid: (Exit.SERVER_INVALID, "server_invalid", _THEIRS),
    errors.ClientRefused: (
        Exit.SERVER_INVALID,
        "client_refused",
        "Where the id http://localhost is refused, name metadata with --client-id",
    ),
    errors.AccessDenied: (Exit.DENIED, "access_denied", "Nothing was shared"),
    errors.AuthorizationFailed: (Exit.SERVER_INVALID, "server_invalid", _BEGIN_AGAIN),
    errors.IssuerMismatch: (Exit.SERVER_INVALID, "issuer_mismatch", _BEGIN_AGAIN),
    errors.SubjectMismatch: (
        Exit.FAILED,
        "account_mismatch",
        "Another account approved at the host than the one that was named",
    ),
    errors.CallbackRejected: (Exit.FAILED, "login_failed", _BEGIN_AGAIN),
    AnswerTimeout: (Exit.TIMED_OUT, "timed_out", _BEGIN_AGAIN),
    errors.ScopeMissing: (Exit.SCOPE_MISSING, "scope_missing", ""),
    errors.SessionError: (Exit.NOT_SIGNED_IN, "not_signed_in", _SIGN_IN),
    errors.KeyUnavailable: (Exit.NOT_SIGNED_IN, "not_signed_in", _SIGN_IN),
    CallRefused: (Exit.REFUSED, "call_refused", ""),
    FileUnusable: (Exit.FAILED, "storage_unusable", ""),
    OSError: (Exit.FAILED, "system_error", ""),
    KeyboardInterrupt: (Exit.INTERRUPTED, "interrupted", ""),
}
EXPECTED: Final = (
    UsageError,
    CallRefused,
    errors.AtprotoError,
    OSError,
    KeyboardInterrupt,
)
"""Exceptions that are explained; any other is a bug and ends in a traceback."""


def explain(error: BaseException) -> Failure:
    """Return exit code, error code and description of an exception."""
    row = next(kind for kind in type(error).__mro__ if kind in _TABLE)
    code, name, step = _TABLE[row]
    facts: dict[str, object] = {}
    match error:
        case CallRefused():
            name, facts = error.error or name, {"status": error.status}
        case ScopeNeeded():
            facts, step = {"scope": error.scope}, f"Ask for it: {error.login}"
        case errors.IdentifierInvalid(suggestion=str(meant)):
            facts, step = {"suggestion": meant}, f"Did you mean {meant}?"
        case KeyboardInterrupt():
            step = "Stopped."
        case _:
            pass
    said = f"{error}." if str(error) else ""
    description = " ".join(part for part in (said, _sentence(step)) if part)
    return Failure(exit=code, error=name, description=description, facts=facts)


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "?")) else f"{text}."
