"""Errors of the use cases, named after what failed.

Failures of the protocol are `app.atproto.errors`, failures of the platform token
`app.tokens.errors`. What people read about each is decided by the web layer.
"""

from __future__ import annotations

from collections.abc import Collection


class FlowError(Exception):
    """Base of the errors of use cases."""


class UsernameInvalid(FlowError):
    """The name breaks the grammar of usernames."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "a username has 3 to 32 of a-z, 0-9 and single hyphens between them; wrong "
            f"here: {reason}"
        )
        self.reason = reason


class UsernameReserved(FlowError):
    """The name is reserved, or looks like a reserved one."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username!r} is reserved")
        self.username = username


class UsernameTaken(FlowError):
    """Another account has the name, or one that looks like it."""

    def __init__(self, username: str) -> None:
        super().__init__(
            f"{username!r} is taken: an account has it, or a name that looks like it, "
            "or it is held"
        )
        self.username = username


class UsernameChangeTooSoon(FlowError):
    """The username was changed lately, perhaps in another window at this moment."""

    def __init__(self, changed_at: float | None) -> None:
        super().__init__("the username was changed lately")
        self.changed_at = changed_at


class UsernameChangesOff(FlowError):
    """USERNAME_CHANGES is `off`: only operators change usernames."""


class TooManyRequests(FlowError):
    """A rate limit is reached."""

    def __init__(self, kind: str, retry_after: float) -> None:
        super().__init__(f"the {kind} limit is reached for {retry_after:.0f} s")
        self.kind = kind
        self.retry_after = retry_after


class PromptRefused(FlowError):
    """Not a prompt of ours, or `create` at a host that is not offered for it."""

    def __init__(self, prompt: str) -> None:
        super().__init__(f"prompt {prompt[:40]!r} is not accepted here")


class ScopeRefused(FlowError):
    """A scope that is none, or more than SCOPE_MAX."""


class NotSignedIn(FlowError):
    """The request has no live session."""


class AccountDisabled(FlowError):
    """The platform has disabled this account, which was proved.

    `for_app` is set when the login was one that an app waited for, `return_to` is where
    it would have led.
    """

    for_app = False
    return_to = ""

    def __init__(self, did: str) -> None:
        super().__init__(f"{did} is disabled")
        self.did = did


class NotAllowedHere(FlowError):
    """A service lets in a group or named people alone, and this account is none."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} is not among those who may open this")
        self.username = username


class RuleInvalid(FlowError):
    """A proxy asks for groups or people in a way that cannot be read."""


class NotAMember(FlowError):
    """SIGNUP_ALLOW does not let this account sign up; it has no account here.

    `for_app` is set when the login was one that an app waited for, `return_to` is where
    it would have led.
    """

    for_app = False
    return_to = ""

    def __init__(self, did: str) -> None:
        super().__init__(f"{did} may not sign up")
        self.did = did


class InvitationEnded(FlowError):
    """An invitation that is unknown, used up, revoked or expired.

    `return_to` is where the login of a newcomer would have led.
    """

    return_to = ""


class UsernameNotConfirmed(FlowError):
    """Another username was typed than that of the account that is to be deleted."""


class SignupFinished(FlowError):
    """This account has a username, which cannot be changed."""

    def __init__(self, did: str) -> None:
        super().__init__(f"{did} has a username")
        self.did = did


class AppNameInvalid(FlowError):
    """Not a name that a page could show: 1 to 64 printable characters."""


class CodeChallengeInvalid(FlowError):
    """Not an S256 challenge: 43 characters of base64url (RFC 7636 section 4.2)."""


class NativeLoginUnknown(FlowError):
    """No native login has this secret, or it was swept."""


class NativeLoginClosed(FlowError):
    """A native login that is decided or expired, or is not this browser's."""


class VerifierMismatch(FlowError):
    """The verifier is missing or wrong; nothing was consumed (RFC 7636 section 4.6)."""


class RefreshRefused(FlowError):
    """A refresh token that is not good (RFC 6749 section 5.2, `invalid_grant`).

    `kind` is `reused` for one that was replaced, whose session has ended now.
    """

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.kind = kind


class CallNotAllowed(FlowError):
    """A call on a person's behalf that XRPC_ALLOW does not name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CursorInvalid(FlowError):
    """The `since` of a request is no cursor that an earlier answer gave."""

    def __init__(self) -> None:
        super().__init__("not a cursor of this feed")


class CallMalformed(FlowError):
    """A call that its PDS could take for another one than we do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CallTooLarge(FlowError):
    """The body of a call is longer than its kind may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a body of more than {limit} bytes")


class HostRateLimited(FlowError):
    """The PDS of an account has asked us to wait (429)."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"its host wants no call for {retry_after:.0f} s")
        self.retry_after = retry_after


class ServiceBusy(FlowError):
    """This process has no room for more; try again after `retry_after` seconds."""

    retry_after = 5.0


class SigningKeyRefused(FlowError):
    """A key file that is no key, or not one its ring can take."""


class AccountUnknown(FlowError):
    """No account has the username, handle or DID that an operator named."""

    def __init__(self, who: str) -> None:
        super().__init__(f"no account is {who!r}; WHO is a username, @handle or DID")


class WhoAmbiguous(FlowError):
    """Several accounts were last seen with the handle that an operator named."""

    def __init__(self, who: str, dids: Collection[str]) -> None:
        super().__init__(f"{who} may be {' or '.join(dids)}; name the DID")


class SessionUnknown(FlowError):
    """No live session has the id that an operator named."""

    def __init__(self, sid: str) -> None:
        super().__init__(f"no live session is {sid!r}")


class GroupRefused(FlowError):
    """An operator named a group that is unknown, misspelt or full; `str` says which."""


class GrantUnknown(FlowError):
    """No grant has the id that an operator named."""

    def __init__(self, grant_id: str) -> None:
        super().__init__(f"no grant is {grant_id[:80]!r}")


class ClientUnknown(FlowError):
    """No OAuth client has the id that an operator named."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"no client is {client_id[:80]!r}")


class ClientInvalid(FlowError):
    """What an operator named of an OAuth client cannot be registered."""


class PolicyNotJudged(FlowError):
    """A client's policy depends on a handle that cannot be looked up now."""

    def __init__(self, did: str, reason: str) -> None:
        super().__init__(f"the handle of {did} cannot be verified now: {reason}")
        self.did = did


class ServiceKeyInvalid(FlowError):
    """The request carries no service key of this platform."""


class ServiceKeyLacksRight(FlowError):
    """The service key was made for something else."""

    def __init__(self, right: str) -> None:
        super().__init__(f"the service key does not open {right!r}")


class ServiceKeyRefused(FlowError):
    """An operator named a service key that is unknown, or one that cannot be made."""


class CursorExpired(FlowError):
    """Events after the cursor were deleted, or it is of another database."""

    def __init__(self) -> None:
        super().__init__("events after this cursor are no longer kept")


class InvitationUnknown(FlowError):
    """No open invitation has the id that an operator named."""

    def __init__(self, invitation_id: str) -> None:
        super().__init__(f"no open invitation is {invitation_id!r}")


class StorageFailed(FlowError):
    """The storage refused, did not answer, or holds a value that does not decrypt.

    Says nothing about what is stored: a flow must not read it as "not found".
    """


class TextNotStorable(StorageFailed):
    """A value of a request has a NUL, which PostgreSQL stores and compares nowhere."""


class StorageUnavailable(StorageFailed):
    """The database is down, full, read-only, missing or damaged, or does not decrypt.

    An operator corrects it, no change of ours: one line in the log, and 503.
    """

    retry_after = 10.0

    rolled_back: bool | None = None
    """Whether the transaction that failed was undone; False when the connection broke,
    perhaps after its commit. None: it was no transaction."""


class SchemaMismatch(StorageUnavailable):
    """The tables are another release's, or there are none; says which command helps."""
