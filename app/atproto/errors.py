"""The exceptions of the client library, named after what failed.

    AtprotoError
    ├── IdentifierInvalid             the input is no handle, DID or server
    │   └── DidMethodUnsupported      a DID of a method other than plc, web
    ├── AccountUnresolved             identity proved absent or contradictory
    │   ├── HandleNotFound
    │   ├── AccountNotFound
    │   └── HandleMismatch
    ├── HostUnreachable               no usable answer; never means "absent"
    │   ├── HostUnknown               DNS answered: the name has no address
    │   ├── HostFailing               it, or a proxy of it, answered 5xx or 429
    │   └── HostCircuitOpen           not asked: its circuit breaker is open
    ├── ClientBusy                    this process has too much to do: try again
    ├── HostWithoutOAuth
    ├── ServerInvalid                 a host's answer breaks the profile
    │   ├── UnsafeURL                 a URL or an address that we refuse
    │   ├── DocumentInvalid
    │   ├── ResponseTooLarge
    │   └── ClientRefused             it refuses this client: check our metadata
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
    │   ├── SessionEnded              over: sign in again; `reason` says why
    │   ├── RefreshRejected           the token endpoint refused the refresh token
    │   ├── RefreshBusy               another refresh is running: try again
    │   ├── ScopeMissing              the account did not grant what this call needs
    │   └── AccountUnavailable        deactivated or taken down at its host
    ├── ScopeInvalid                  not a scope we may ask for, or not granted
    ├── ClientMetadataInvalid         our own metadata breaks section 3 of the profile
    └── KeyUnavailable                a session's client key is gone

`str(error)` is for logs: it names hosts, error codes and reasons, never a token, an
authorization code, a state or a query string. The texts for people are elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


class AtprotoError(Exception):
    """Base class of every error of this library.

    Once a callback was matched to its auth request, `app_state` is what the application
    gave to `authorize`, and `issuer` the authorization server of that login: the
    application can explain a failed login and offer to repeat it.
    """

    app_state: str | None = None
    issuer: str | None = None


class IdentifierInvalid(AtprotoError):
    """The identifier is not a handle, a DID or a server URL (requirement 1.3).

    `suggestion` is a handle that may have been meant, for the person to confirm. `kind`
    is what was entered in its place: `email`, `fediverse` (@name@server), or "".
    """

    def __init__(
        self, reason: str, *, suggestion: str | None = None, kind: str = ""
    ) -> None:
        super().__init__(reason)
        self.suggestion = suggestion
        self.kind = kind


class DidMethodUnsupported(IdentifierInvalid):
    """A well-formed DID whose method is neither plc nor web (requirement 1.8)."""

    def __init__(self, method: str) -> None:
        super().__init__(f"DID method {method!r} is not supported")
        self.method = method


class AccountUnresolved(AtprotoError):
    """The identity does not exist, or contradicts itself."""


class HandleNotFound(AccountUnresolved):
    """DNS and HTTPS both answered, and neither knows the handle (requirement 1.18)."""

    def __init__(self, handle: str) -> None:
        super().__init__(f"handle {handle} is not known")
        self.handle = handle


class AccountNotFound(AccountUnresolved):
    """The directory of the DID says that the DID does not exist (requirement 1.24)."""

    def __init__(self, did: str) -> None:
        super().__init__(f"{did} is not known to its directory")
        self.did = did


class HandleMismatch(AccountUnresolved):
    """The handle points to an account that does not claim it (requirement 1.21)."""

    def __init__(self, handle: str, did: str) -> None:
        super().__init__(f"{did} does not claim the handle {handle}")
        self.handle = handle
        self.did = did

    @property
    def server(self) -> str | None:
        """Return the URL of a server to start at, if the name may be that of a host.

        A host that serves a DID of its own (did:web) is no account's handle.
        """
        own = self.did == f"did:web:{self.handle}"
        return f"https://{self.handle}" if own else None


class HostUnreachable(AtprotoError):
    """Connecting, TLS, a time limit or the answer itself failed.

    `sent` is true when bytes of the request may have reached the host; a code or a
    refresh token that was sent may have been used (requirements 6.8 and 7.11).
    """

    is_directory: bool = False
    """Whether the host is the PLC directory, which people do not know by name."""

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
    """The host, or a proxy in front of it, answered 5xx or 429.

    `headers` may say when to ask again (Retry-After, RateLimit-Reset).
    """

    def __init__(
        self, host: str, status: int, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(host, f"answered {status}", sent=True)
        self.status = status
        self.headers = headers or {}


class HostCircuitOpen(HostUnreachable):
    """The circuit breaker is open: the host failed several times in a row.

    It is not asked again before `retry_after` seconds have passed.
    """

    def __init__(self, host: str, retry_after: float) -> None:
        super().__init__(host, f"is left alone for {retry_after:.0f} s")
        self.retry_after = retry_after


class ClientBusy(AtprotoError):
    """This process does too many of these at once; no host is at fault.

    Try again after `retry_after` seconds.
    """

    retry_after = 2.0

    def __init__(self, what: str) -> None:
        super().__init__(f"too many {what} are under way in this process")
        self.what = what


class HostWithoutOAuth(AtprotoError):
    """The host answers, without a protected-resource document (requirement 2.12)."""

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
    """The authorization server refuses this client: alert (requirement 10.3)."""

    def __init__(
        self, host: str, code: str, description: str = "", *, hint: str = ""
    ) -> None:
        """`hint` is for the log: what in our own machine may be the cause."""
        reason = f"refused this client with {code!r}"
        super().__init__(host, f"{reason}; {hint}" if hint else reason)
        self.code = code
        self.description = description
        self.hint = hint


class CallbackRejected(AtprotoError):
    """The answer to an authorization request is not acceptable."""


class CallbackMalformed(CallbackRejected):
    """A parameter is missing, repeated or of another protocol (requirement 6.1)."""


class StateUnknown(CallbackRejected):
    """The state is unknown, used, or too old (requirement 6.2)."""


class BrowserMismatch(CallbackRejected):
    """Another browser began this flow; the auth request is kept (requirement 9.12)."""


class IssuerMismatch(CallbackRejected):
    """Not the issuer of the flow or of the account (requirements 6.5 and 6.12)."""


class SubjectMismatch(CallbackRejected):
    """Another account approved than the one that was entered (requirement 6.11)."""


class AccessDenied(CallbackRejected):
    """The person refused at their host: `error=access_denied`."""


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
    """The session is over: the person has to sign in again (requirement 7.17).

    `reason` is one of: `unknown` (no such session), `revoked` (its host ended it),
    `refused` (a refresh was refused in words of the server's own; kept for a day),
    `moved` (the account has another issuer now, requirement 7.16), `key_gone`
    (requirement 7.4), `not_refreshable` (requirement 7.5), `lost` (the outcome of a
    refresh did not reach us or could not be stored, requirements 7.9 and 7.11),
    `subject` (its host answered for another account).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the session is over: {reason}")
        self.reason = reason


class RefreshRejected(SessionError):
    """The token endpoint answered `invalid_grant` to a refresh token.

    `ambiguous` when the same token was sent before and no answer came
    (requirement 7.11).
    """

    def __init__(self, reason: str, *, ambiguous: bool = False) -> None:
        super().__init__(reason)
        self.ambiguous = ambiguous


class RefreshBusy(SessionError):
    """A refresh of this session is running here or elsewhere; the session is kept.

    Try again after `retry_after` seconds: most refreshes end far sooner than the lease
    of 45 seconds, and a later call waits for the one that is running.
    """

    retry_after = 5.0


class ScopeMissing(SessionError):
    """The PDS requires a permission that was not granted (requirement 8.11).

    `scope` is the host's name of it, checked to be short printable ASCII, or empty
    when the host named none. A login that asks for it may help (requirement 8.10).
    """

    def __init__(self, host: str, scope: str) -> None:
        wanted = scope or "which it does not name"
        super().__init__(f"{host} wants a permission that was not granted: {wanted}")
        self.host = host
        self.scope = scope


class AccountUnavailable(SessionError):
    """The host does not serve the account for now (requirement 7.21): do not refresh.

    `state` is the host's error code: AccountDeactivated, AccountTakedown, ...
    """

    def __init__(self, host: str, state: str) -> None:
        super().__init__(f"{host} answered {state}")
        self.host = host
        self.state = state


class ScopeInvalid(AtprotoError):
    """A scope that breaks the grammar, may not be requested, or lacks `atproto`."""


class ClientMetadataInvalid(AtprotoError):
    """Our own client metadata breaks section 3 of the profile; nothing was sent."""


class KeyUnavailable(AtprotoError):
    """The client key that a session is bound to is gone (requirement 7.4)."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"client key {kid} is gone")
        self.kid = kid


def printable(value: object, *, limit: int = 200) -> str:
    """Return a foreign string, cut to `limit` characters of visible ASCII.

    For messages and logs: an attacker may put line feeds or megabytes into what a
    server sends (requirements 6.4 and 9.11).
    """
    text = value if isinstance(value, str) else ""
    return re.sub(r"[^\x20-\x7e]", "?", text[:limit])
