"""WWW-Authenticate challenges and OAuth error codes of an answer (RFC 9110, 11.6.1).

Any server may send any header here, so at most CHALLENGE_LIMIT characters are parsed,
in time linear in their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..errors import ServerInvalid, printable
from ..http.types import Response

CHALLENGE_LIMIT: Final = 2_048
"""Characters of the header; longer ones are cut."""

# Possessive quantifiers (++, *+) never backtrack: each character is read a bounded
# number of times.
_PART: Final = re.compile(
    r"""(?P<name>[^\s,="]++)[ \t]*+=[ \t]*+
        (?:"(?P<quoted>(?:[^"\\]|\\.)*+)"?|(?P<bare>[^\s,]*+))
      | (?P<scheme>[^\s,="]++)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: its scheme and its parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(repr=False)


def parse_challenges(header: str) -> Iterator[Challenge]:
    """Yield the challenges of a WWW-Authenticate header, malformed parts left out.

    Values need no quotes: some servers do not quote `scope`.
    """
    scheme, parameters = "", dict[str, str]()
    for part in _PART.finditer(header[:CHALLENGE_LIMIT]):
        if part["scheme"] is None:
            quoted = part["quoted"]
            value = part["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(part["name"].lower(), value)
            continue
        if scheme:
            yield Challenge(scheme, parameters)
        scheme, parameters = part["scheme"].lower(), {}
    if scheme:
        yield Challenge(scheme, parameters)


def dpop_challenge(response: Response) -> Mapping[str, str]:
    """Return the parameters of the answer's DPoP challenge; empty without one."""
    header = response.headers.get("WWW-Authenticate", "")
    for challenge in parse_challenges(header):
        if challenge.scheme == "dpop":
            return challenge.parameters
    return {}


def oauth_error(response: Response) -> tuple[str, str]:
    """Return `error` and `error_description` of the body, or empty strings.

    A server may send any text here, so both are cut to short printable ASCII. They are
    for logs, not for pages.
    """
    try:
        document = response.json_object()
    except ServerInvalid:
        return "", ""
    return printable(document.get("error")), printable(
        document.get("error_description")
    )
