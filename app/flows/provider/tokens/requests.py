"""Requests of OAuth clients and their refusals: parameters of the body, JSON errors.

Parameters come in the body alone, each once (RFC 6749 section 3.2). Descriptions of
errors are ours, printable ASCII without quotes, and repeat nothing of the request
(RFC 6749 section 5.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.flows.errors import FlowError
from app.flows.provider.authorization.errors import ErrorCode
from app.flows.provider.authorization.request import is_text

LONGEST: Final = 4_096
"""Characters of a parameter of these endpoints, and of the Authorization header."""

LONGEST_JWT: Final = 8_192
"""Characters of a parameter that is a JWT."""

TokenErrorCode = Literal[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_token_type",
    "invalid_scope",
    "invalid_target",
    "temporarily_unavailable",
    "server_error",
]
"""RFC 6749 section 5.2, RFC 7009 section 2.2.1, RFC 8707 section 2."""


class ProgramRefused(FlowError):
    """An error in JSON (RFC 6749 section 5.2)."""

    def __init__(self, code: TokenErrorCode | ErrorCode, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The body of a request of a program: each parameter once, none empty."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, parameters: Mapping[str, Sequence[str]]) -> Form:
        """Read a form-encoded body. Empty parameters count as omitted.

        Raises:
            ProgramRefused: a parameter is repeated, too long or no UTF-8.
        """
        given = {
            name: [value for value in values if value]
            for name, values in parameters.items()
        }
        for name, values in given.items():
            if len(values) > 1:
                raise ProgramRefused("invalid_request", "a parameter is repeated")
            if values and len(values[0]) > _most(name):
                raise ProgramRefused("invalid_request", "a parameter is too long")
            if not all(map(is_text, (name, *values))):
                raise ProgramRefused("invalid_request", "a parameter is no UTF-8")
        return cls(values={name: one[0] for name, one in given.items() if one})

    def get(self, name: str) -> str | None:
        """Return a parameter, or None if it was omitted."""
        return self.values.get(name)


def _most(name: str) -> int:
    return LONGEST_JWT if name in {"client_assertion", "id_token_hint"} else LONGEST
