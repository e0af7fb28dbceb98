"""Exceptions of the native client, named after what failed.

    NativeError
    ├── ServerUrlInvalid         not https, nor http on this machine
    ├── ServerUnreachable        no answer from the service: network, TLS, 5xx, 429
    │   └── NotALatchkeyServer   another program answers at the address
    ├── LoginRefused             the service refused, with a code and a sentence
    ├── LoginNotStarted          there is no such login to await: start one
    ├── LoginEnded               the login ended without a session
    │   ├── LoginDenied          the person refused
    │   ├── LoginExpired         the login was not decided in time
    │   ├── LoginSuperseded      another login was started in its place
    │   └── LoginCancelled       cancelled here, or signed out meanwhile
    ├── NotSignedIn              no person is signed in: start a login
    ├── AwaitTimedOut            the caller's own timeout; the login goes on
    ├── SessionStoreFailed       the session could not be stored, read or removed
    │   └── KeyringUnusable      the session is in a keyring that does not answer
    └── TransportMissing         gRPC was chosen and is not installed

`str(error)` may be shown to people: it says what happened and what to do, and holds no
token, no session_id and no verifier. `error.code` is for programs: the service's own
code where it gave one.
"""

from __future__ import annotations

import re
from typing import ClassVar


class NativeError(Exception):
    """Base of every exception that the client raises."""

    code: str = "failed"


class ServerUrlInvalid(NativeError):
    """The service's address cannot be used: nothing was sent."""

    code = "invalid_server_url"


class ServerUnreachable(NativeError):
    """There is no usable answer of the service; this says nothing about the login.

    `retry_after` is the number of seconds that the service asks callers to wait.
    """

    code = "server_unreachable"

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class NotALatchkeyServer(ServerUnreachable):
    """Another program answers at the address: another site, a proxy, a portal."""

    code = "server_unknown"


class LoginRefused(NativeError):
    """The service refused, with an error document.

    `code` is one of the service's error codes (`invalid_identifier`,
    `handle_not_found`, `too_many_requests`, `wrong_verifier` ...), `description` a
    sentence for people, `reference` the id of the refusal in the service's log.
    `is_passing` when the same request may succeed later: too many requests, a host is
    down.
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
    """There is no such login here."""

    code = "login_not_started"

    def __init__(self) -> None:
        super().__init__("No such login is under way: start one.")


class NotSignedIn(NativeError):
    """No person is signed in here, or the session has ended at the service."""

    code = "not_signed_in"

    def __init__(self) -> None:
        super().__init__("No account is signed in here: sign in.")


class LoginEnded(NativeError):
    """The login ended without a session."""

    sentence: ClassVar[str] = "The login is over."

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence or self.sentence)


class LoginDenied(LoginEnded):
    """The person did not let the app in, or cancelled at their own host."""

    code = "login_denied"
    sentence = "The sign-in was refused in the browser."


class LoginExpired(LoginEnded):
    """The login was not decided in time; `__cause__` is the last network error."""

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
    """The caller's timeout has passed. The login can be awaited again."""

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
    """Return text of a server on one line, shortened and without control characters.

    The text ends up in terminals and windows: an escape sequence in it must not move a
    cursor or hide a line.
    """
    text = value if isinstance(value, str) else ""
    visible = "".join(char if char.isprintable() else " " for char in text[:limit])
    return re.sub(r"\s+", " ", visible).strip()
