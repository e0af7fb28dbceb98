"""Reading the answer to an authorization request (RFC 6749 §4.1.2, RFC 9207).

Pure: what the query says, and whether it may be believed for a given issuer. Whether a
login waits for it at all is decided before, by whoever holds the auth requests.
"""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..crypto.encoding import sha256_hex
from ..errors import (
    AccessDenied,
    AuthorizationFailed,
    CallbackMalformed,
    IssuerMismatch,
    StateUnknown,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_ONCE = ("state", "iss", "code", "error", "error_description")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswer:
    """The parameters of a callback; nothing is believed yet."""

    state: str = field(repr=False)
    issuer: str | None
    code: str | None = field(repr=False)
    error: str | None
    description: str

    def code_for(self, issuer: str) -> str:
        """Return the authorization code, if `issuer` is who answered.

        The issuer comes first: an answer of somebody else is not read (6.5, 6.6).

        Raises:
            IssuerMismatch: `iss` is missing or another.
            AccessDenied, AuthorizationFailed: the flow ended with an error.
            CallbackMalformed: neither a code nor an error, or both.
        """
        if self.issuer != issuer:
            raise IssuerMismatch(f"the answer is not from {issuer}")
        if (self.code is None) == (self.error is None):
            raise CallbackMalformed("exactly one of code and error must be given")
        if self.error == "access_denied":
            raise AccessDenied("the request was declined")
        if self.code is None:
            raise AuthorizationFailed(printable(self.error), self.description)
        return self.code


def read_callback(parameters: Sequence[tuple[str, str]]) -> CallbackAnswer:
    """Read the query of a callback strictly (requirements 6.1 and 6.2).

    Raises:
        CallbackMalformed: a parameter stands twice, or the answer is a JARM response.
        StateUnknown: there is no state.
    """
    counts = Counter(name for name, _ in parameters)
    if any(counts[name] > 1 for name in _ONCE):
        raise CallbackMalformed("a parameter stands more than once")
    if "response" in counts:
        raise CallbackMalformed("signed responses (JARM) are not part of the profile")
    given = {name: value for name, value in parameters if value}
    if "state" not in given:
        raise StateUnknown("the answer has no state")
    return CallbackAnswer(
        state=given["state"],
        issuer=given.get("iss"),
        code=given.get("code"),
        error=given.get("error"),
        description=printable(given.get("error_description")),
    )


def is_bound(expected: str | None, secrets: Collection[str] | None) -> bool:
    """Tell whether one of a browser's secrets is the one that began the flow (9.12).

    Fails closed: an unbound flow has no browser, and a bound one needs its secret.
    Compared in constant time (9.25).
    """
    if expected is None or secrets is None:
        return expected is None and secrets is None
    return any(hmac.compare_digest(expected, sha256_hex(held)) for held in secrets)
