"""Everything that can go wrong for an app, named after the thing that failed.

    NativeError
    ├── ServerUrlInvalid         not https, nor http on this machine
    ├── ServerUnreachable        the service was not heard: network, TLS, 5xx, 429
    │   └── ServerUnknown        something answers there, and it is not this service
    ├── LoginRefused             the service said no, with a code and a sentence
    ├── LoginNotStarted          nothing to await: start a login
    ├── LoginEnded               the login is over without a session
    │   ├── LoginDenied          the person said no
    │   ├── LoginExpired         nobody decided in time
    │   ├── LoginSuperseded      another login was started in its place
    │   └── LoginCancelled       cancelled here, or signed out meanwhile
    ├── AwaitTimedOut            the caller's own patience; the login goes on
    ├── SessionStoreFailed       what must be kept could not be kept, or not be read
    │   └── KeyringUnusable      the session is in a keyring that does not answer
    └── TransportMissing         gRPC was asked for and is not installed

`str(error)` may be shown to people: it says what happened and what to do, and holds no
token, no session_id and no verifier. `error.code` is for programs: the service's own
code where it gave one.
"""

from __future__ import annotations

import re
from typing import ClassVar


class NativeError(Exception):
    """Base of every failure that an app meets."""

    code: str = "failed"


class ServerUrlInvalid(NativeError):
    """The service's address cannot be used: nothing was sent."""

    code = "invalid_server_url"


class ServerUnreachable(NativeError):
    """No answer of the service; it says nothing about the login.

    `retry_after` is for how many seconds the service wants to be left alone.
    """

    code = "server_unreachable"

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ServerUnknown(ServerUnreachable):
    """Something else answers at the address: another site, a proxy, a portal."""

    code = "server_unknown"


class LoginRefused(NativeError):
    """The service refused, in its own words.

    `code` is one of the service's error codes (`invalid_identifier`,
    `handle_not_found`, `too_many_requests`, `wrong_verifier` ...), `description` a
    sentence for people, `reference` what the operator finds the refusal by in the log.
    `is_passing` when the same may succeed later: too many requests, a host is down.
    """

    def __init__(
        self,
        code: str,
        description: str = "",
        *,
        reference: str = "",
        retry_after: float | None = None,
        is_passing: bool = False,
    ) -> None:
        super().__init__(description or f"The service refused with {code}.")
        self.code = code
        self.description = description
        self.reference = reference
        self.retry_after = retry_after
        self.is_passing = is_passing


class LoginNotStarted(NativeError):
    """No such login is under way here."""

    code = "login_not_started"

    def __init__(self) -> None:
        super().__init__("No such login is under way: start one.")


class LoginEnded(NativeError):
    """The login is over, and there is no session from it."""

    sentence: ClassVar[str] = "The login is over."

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence or self.sentence)


class LoginDenied(LoginEnded):
    """The person did not let the app in, or said no at their own host."""

    code = "login_denied"
    sentence = "The sign-in was refused in the browser."


class LoginExpired(LoginEnded):
    """Nobody decided in time; `__cause__` is what kept the service from being heard."""

    code = "login_expired"
    sentence = "The sign-in was not finished in time: start again."


class LoginSuperseded(LoginEnded):
    """A later `start_login` took this one's place, here or in another process."""

    code = "login_superseded"
    sentence = "Another sign-in was started in place of this one."


class LoginCancelled(LoginEnded):
    """`cancel`, `sign_out` or `clear_session` was called, here or elsewhere."""

    code = "login_cancelled"
    sentence = "The sign-in was cancelled."


class AwaitTimedOut(NativeError):
    """The time that the caller gave is over. The login can be awaited again."""

    code = "await_timed_out"

    def __init__(self) -> None:
        super().__init__("The sign-in is not finished yet.")


class SessionStoreFailed(NativeError):
    """The session could not be stored, read or removed; the message says what to do."""

    code = "session_store_failed"


class KeyringUnusable(SessionStoreFailed):
    """The system's keyring is missing, locked or broken."""

    code = "keyring_unusable"


class TransportMissing(NativeError):
    """The packages that a transport needs are not installed."""

    code = "transport_missing"


def printable(value: object, *, limit: int = 300) -> str:
    """Return a foreign text on one line, cut short and without control characters.

    What a server sends ends in terminals and windows: an escape sequence in it must
    not move a cursor or hide a line.
    """
    text = value if isinstance(value, str) else ""
    visible = "".join(char if char.isprintable() else " " for char in text[:limit])
    return re.sub(r"\s+", " ", visible).strip()
