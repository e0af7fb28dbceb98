"""Everything that can go wrong in the client, named after the thing that failed.

    AtprotoError
    ├── IdentifierInvalid             what was typed is no handle, DID or server
    │   └── DidMethodUnsupported      a DID, of a method nobody here resolves
    ├── AccountUnresolved             identity proved absent or contradictory
    │   ├── HandleNotFound
    │   ├── AccountNotFound
    │   └── HandleMismatch
    ├── HostUnreachable               nothing of use answered: never "absent"
    │   ├── HostUnknown               DNS answered, and knows no address of the name
    │   ├── HostFailing               something answered 5xx or 429 in its name
    │   └── HostResting               not asked at all: its breaker is open
    ├── HostWithoutOAuth
    ├── ServerInvalid                 a host's answer breaks the profile
    │   ├── UnsafeURL                 it sent us where we refuse to go
    │   ├── DocumentInvalid
    │   ├── ResponseTooLarge
    │   └── ClientRefused             it refuses us as a client: look at our metadata
    ├── CallbackRejected              the answer to an authorization request
    │   ├── CallbackMalformed
    │   ├── StateUnknown
    │   ├── BrowserMismatch
    │   ├── IssuerMismatch
    │   ├── SubjectMismatch
    │   ├── AccessDenied
    │   ├── AuthorizationFailed       any other `error` of the server
    │   └── CodeRejected              the token endpoint refused the code
    ├── SessionError                  a session that cannot be used as it is
    │   ├── SessionEnded              it is over: sign in again; `reason` says why
    │   ├── RefreshRejected           the token endpoint refused the refresh token
    │   ├── RefreshBusy               its refresh goes on elsewhere: try again
    │   ├── ScopeMissing              the account did not grant what this call needs
    │   └── AccountUnavailable        deactivated or taken down at its host
    ├── ScopeInvalid                  not a scope we may ask for, or not granted
    ├── ClientMetadataInvalid         our own metadata breaks section 3
    └── KeyUnavailable                a session's client key is gone (7.4)

`str(error)` is for logs: it names hosts, codes and reasons, never a token, a code,
a state or a query string. What people read is decided elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class AtprotoError(Exception):
    """Base of every failure this library reports.

    Once a callback was matched to its auth request, `app_state` is what the application
    gave to `authorize` and `issuer` whom it had asked: a failed login can be explained,
    and offered again without asking everything.
    """

    app_state: str | None = None
    issuer: str | None = None


class IdentifierInvalid(AtprotoError):
    """The identifier is not a handle, a DID or a server URL (requirement 1.3).

    `suggestion` is a handle that may have been meant, for the person to confirm.
    """

    def __init__(self, reason: str, *, suggestion: str | None = None) -> None:
        super().__init__(reason)
        self.suggestion = suggestion


class DidMethodUnsupported(IdentifierInvalid):
    """A well-formed DID whose method is neither plc nor web (requirement 1.8)."""

    def __init__(self, method: str) -> None:
        super().__init__(f"DID method {method!r} is not supported")
        self.method = method


class AccountUnresolved(AtprotoError):
    """The identity surely does not exist, or contradicts itself."""


class HandleNotFound(AccountUnresolved):
    """Neither DNS nor HTTPS knows the handle, and both answered (requirement 1.18)."""

    def __init__(self, handle: str) -> None:
        super().__init__(f"handle {handle} is not known")
        self.handle = handle


class AccountNotFound(AccountUnresolved):
    """The directory of the DID says that it does not exist (requirement 1.24)."""

    def __init__(self, did: str) -> None:
        super().__init__(f"{did} is not known to its directory")
        self.did = did


class HandleMismatch(AccountUnresolved):
    """The handle points to an account that does not claim it (requirement 1.21)."""

    def __init__(self, handle: str, did: str) -> None:
        super().__init__(f"{did} does not claim the handle {handle}")
        self.handle = handle
        self.did = did


class HostUnreachable(AtprotoError):
    """Connecting, TLS, a time limit or the answer itself failed.

    `sent` is true when bytes of the request may have reached the host; a code or a
    refresh token that was sent may have been used (requirements 6.8 and 7.11).
    """

    def __init__(self, host: str, reason: str, *, sent: bool = False) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason
        self.sent = sent


class HostUnknown(HostUnreachable):
    """DNS answered: the name does not exist, or has no address (requirement 1.18)."""

    def __init__(self, host: str) -> None:
        super().__init__(host, "has no address")


class HostFailing(HostUnreachable):
    """The host, or something in its name, answered 5xx or 429.

    `headers` may say when to ask again (Retry-After, RateLimit-Reset).
    """

    def __init__(
        self, host: str, status: int, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(host, f"answered {status}", sent=True)
        self.status = status
        self.headers = headers or {}


class HostResting(HostUnreachable):
    """The host failed several times in a row and is left alone for a moment."""

    def __init__(self, host: str, retry_after: float) -> None:
        super().__init__(host, f"is left alone for {retry_after:.0f} s")
        self.retry_after = retry_after


class HostWithoutOAuth(AtprotoError):
    """The host answers and has no protected-resource document (requirement 2.12)."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} publishes no OAuth protected resource")
        self.host = host


class ServerInvalid(AtprotoError):
    """A document or an answer of a host breaks the profile."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


class UnsafeURL(ServerInvalid):
    """A URL or an address that this client refuses to contact (requirement 9.2)."""


class DocumentInvalid(ServerInvalid):
    """Not the JSON document that the profile prescribes."""


class ResponseTooLarge(ServerInvalid):
    """The answer is longer than its kind may be (requirement 9.4)."""

    def __init__(self, host: str, limit: int) -> None:
        super().__init__(host, f"the answer is longer than {limit} bytes")
        self.limit = limit


class ClientRefused(ServerInvalid):
    """The authorization server refuses this client: worth an alert (10.3)."""

    def __init__(self, host: str, code: str, description: str = "") -> None:
        super().__init__(host, f"refused this client with {code!r}")
        self.code = code
        self.description = description


class CallbackRejected(AtprotoError):
    """The answer to an authorization request is not acceptable."""


class CallbackMalformed(CallbackRejected):
    """A parameter is missing, repeated or of another protocol (requirement 6.1)."""


class StateUnknown(CallbackRejected):
    """The state is unknown, used, or too old (requirement 6.2)."""


class BrowserMismatch(CallbackRejected):
    """Another browser began this flow; its auth request is kept (requirement 9.12)."""


class IssuerMismatch(CallbackRejected):
    """Not the issuer of this flow, or not the issuer of the account (6.5, 6.12)."""


class SubjectMismatch(CallbackRejected):
    """Another account approved than the one that was named (requirement 6.11)."""


class AccessDenied(CallbackRejected):
    """The person said no at their host."""


class AuthorizationFailed(CallbackRejected):
    """The server ended the flow with another `error` (requirement 6.4).

    `code` is the server's error code, already checked to be short printable ASCII.
    """

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(f"the server answered {code!r}")
        self.code = code
        self.description = description


class CodeRejected(CallbackRejected):
    """The token endpoint answered `invalid_grant` to the code."""


class SessionError(AtprotoError):
    """A session that cannot be used as it is."""


class SessionEnded(SessionError):
    """The session is over; only another sign-in helps (requirement 7.17).

    `reason` is one of: `unknown` (no such session), `revoked` (its host ended it),
    `moved` (another issuer speaks for the account, 7.16), `key_gone` (7.4),
    `not_refreshable` (7.5), `lost` (a refresh whose outcome did not reach us, or could
    not be stored: 7.9, 7.11), `subject` (its host answered for another account).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the session is over: {reason}")
        self.reason = reason


class RefreshRejected(SessionError):
    """The token endpoint answered `invalid_grant` to a refresh token.

    `ambiguous` when the same token had been sent before without an answer (7.11).
    """

    def __init__(self, reason: str, *, ambiguous: bool = False) -> None:
        super().__init__(reason)
        self.ambiguous = ambiguous


class RefreshBusy(SessionError):
    """The refresh goes on, here or in another process; the session is kept."""


class ScopeMissing(SessionError):
    """The PDS wants a permission that was not granted (requirement 8.11).

    `scope` names it as the host did, checked to be short printable ASCII, or is empty
    when the host named none; a login that asks for it may help (8.10).
    """

    def __init__(self, host: str, scope: str) -> None:
        wanted = scope or "which it does not name"
        super().__init__(f"{host} wants a permission that was not granted: {wanted}")
        self.host = host
        self.scope = scope


class AccountUnavailable(SessionError):
    """The account is not served for now; not a reason to refresh (7.21).

    `state` is the host's word for it: AccountDeactivated, AccountTakedown, ...
    """

    def __init__(self, host: str, state: str) -> None:
        super().__init__(f"{host} answered {state}")
        self.host = host
        self.state = state


class ScopeInvalid(AtprotoError):
    """A scope that breaks the grammar, may not be asked, or lacks `atproto`."""


class ClientMetadataInvalid(AtprotoError):
    """Our own client metadata breaks section 3; found before anybody is asked."""


class KeyUnavailable(AtprotoError):
    """The client key that a session is bound to is gone (requirement 7.4)."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"client key {kid} is gone")
        self.kid = kid


def printable(value: object, *, limit: int = 200) -> str:
    """Return a foreign string cut short and reduced to visible ASCII, for messages.

    What a server sends is an attacker's to choose: a line feed in a log line, or a
    megabyte of it, must not be (requirements 6.4 and 9.11).
    """
    text = value if isinstance(value, str) else ""
    return re.sub(r"[^\x20-\x7e]", "?", text[:limit])
